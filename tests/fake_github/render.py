"""Users and gists in GitHub's JSON; every address that a client may follow is the fake's own."""

from __future__ import annotations

import base64
import mimetypes
from datetime import datetime
from itertools import islice
from typing import Any

from tests.fake_github.model import File, Gist, User

_FILES_SHOWN = 300
_CONTENT_BYTES = 1_000_000
_LANGUAGES = {
    "py": "Python", "md": "Markdown", "sh": "Shell", "js": "JavaScript", "ts": "TypeScript",
    "txt": "Text", "json": "JSON", "rb": "Ruby", "c": "C", "go": "Go", "rs": "Rust", "yml": "YAML",
    "html": "HTML", "css": "CSS", "java": "Java", "sql": "SQL", "diff": "Diff", "toml": "TOML",
}  # fmt: skip


class Renderer:
    """Renders the JSON of one fake, given the origins of its API and of its raw files."""

    def __init__(self, api_url: str, raw_url: str) -> None:
        self._api = api_url
        self._raw = raw_url

    def listed(self, gist: Gist, *, old: bool) -> Any:
        """A gist as in a list; `old`: API version 2022-11-28, which has `user`."""
        entry = self._gist(gist)
        entry["files"] = {f.name: self._file(gist, f) for f in _shown(gist)}
        return gist.listed(entry | ({"user": None} if old else {}))

    def single(self, gist: Gist, *, old: bool) -> dict[str, Any]:
        """A gist as at its own address, with contents up to 1 MB a file."""
        entry = self._gist(gist)
        entry["files"] = {f.name: self._file(gist, f) | _content(f) for f in _shown(gist)}
        return entry | ({"user": None, "forks": [], "history": []} if old else {})

    def user(self, user: User) -> dict[str, Any]:
        """A user as `GET /users/{username}` returns it."""
        empty: dict[str, Any] = dict.fromkeys(
            ("bio", "company", "email", "hireable", "location", "name"), None
        )
        return self.owner(user) | empty | {
            "blog": "",
            "followers": 0,
            "following": 0,
            "public_gists": sum(gist.public for gist in user.gists),
            "public_repos": 0,
            "created_at": "2011-01-25T18:44:36Z",
            "updated_at": "2024-01-01T00:00:00Z",
        }  # fmt: skip

    def _gist(self, gist: Gist) -> dict[str, Any]:
        url = f"{self._api}/gists/{gist.id}"
        git = f"{self._raw}/{gist.id}.git"
        return {
            "url": url,
            "forks_url": f"{url}/forks",
            "commits_url": f"{url}/commits",
            "id": gist.id,
            "node_id": base64.b64encode(f"Gist{gist.id}".encode()).decode(),
            "git_pull_url": git,
            "git_push_url": git,
            "html_url": gist.html_url,
            "files": {},
            "public": gist.public,
            "created_at": _time(gist.created_at),
            "updated_at": _time(gist.updated_at),
            "description": gist.description,
            "comments": 0,
            "comments_enabled": True,
            "comments_url": f"{url}/comments",
            "owner": self.owner(gist.owner),
            "truncated": gist.is_truncated,
        }

    def _file(self, gist: Gist, file: File) -> dict[str, Any]:
        return {
            "filename": file.name,
            "type": mimetypes.guess_type(file.name)[0] or "text/plain",
            "language": _LANGUAGES.get(file.name.rpartition(".")[2].lower()),
            "raw_url": self._raw + gist.raw_path(file),
            "size": file.content.size,
        }

    def owner(self, user: User) -> dict[str, Any]:
        """A user as a gist's owner, or as a member of an organization."""
        url = f"{self._api}/users/{user.login}"
        return {
            "login": user.login,
            "id": user.id,
            "node_id": base64.b64encode(b"User%d" % user.id).decode(),
            "avatar_url": f"{self._api}/avatars/{user.id}",
            "gravatar_id": "",
            "url": url,
            "html_url": f"https://github.com/{user.login}",
            "followers_url": f"{url}/followers",
            "following_url": f"{url}/following{{/other_user}}",
            "gists_url": f"{url}/gists{{/gist_id}}",
            "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
            "subscriptions_url": f"{url}/subscriptions",
            "organizations_url": f"{url}/orgs",
            "repos_url": f"{url}/repos",
            "events_url": f"{url}/events{{/privacy}}",
            "received_events_url": f"{url}/received_events",
            "type": "User",
            "user_view_type": "public",
            "site_admin": False,
        }


def _shown(gist: Gist) -> list[File]:
    return list(islice(list(gist.files.values()), _FILES_SHOWN))


def _content(file: File) -> dict[str, Any]:
    data = file.content.read(0, min(file.content.size, _CONTENT_BYTES))
    fields: dict[str, Any] = {"truncated": file.content.size > _CONTENT_BYTES}
    try:
        return fields | {"content": data.decode(), "encoding": "utf-8"}
    except UnicodeDecodeError:
        return fields | {"content": base64.b64encode(data).decode(), "encoding": "base64"}


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
