"""Parses the bodies of GitHub's lists: no I/O, no clock.

https://docs.github.com/en/rest/gists/gists#list-gists-for-a-user
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gistapi.errors import GithubError
from gistapi.github.long_strings import ShortStrings
from gistapi.models import Gist, GistFile

BLOB_SHA = re.compile(r"/raw/([0-9a-fA-F]{40})(?:/|$)")
MAX_FILES = 300
"""GitHub lists at most this many files of a gist; the rest of a longer list is left to git."""
MAX_TEXT = 10_000
"""Characters kept of a description; a longer name, address or id is not used at all."""
MAX_TEXT_BYTES = 6 * MAX_TEXT
"""In JSON, where a character may be an escape of six."""
MAX_VALUES = 2**16
"""Of a body: 11 gists of 300 files have 20,000. 16 MiB of empty objects would take 500 MiB, and
parsing them would let no other thread run for half a second."""
CHUNK_BYTES = 64 * 1024


class ForeignGistError(GithubError):
    """GitHub answered with a gist of another user, or another gist, than the one asked for."""


@dataclass(frozen=True, slots=True)
class Entries:
    """One page of a list.

    `ids` name every entry in GitHub's order, those that must not be shown included. `gists` are the
    ones to show, `unreadable` counts those of them that have no address to name them by.
    """

    ids: tuple[str, ...]
    gists: tuple[Gist, ...] = ()
    unreadable: int = 0


def parse_gists(body: bytes, *, owner: str | None = None, secret: bool = False) -> Entries:
    """The gists of one page; with `secret` those that are not public too.

    Raises ForeignGistError if an entry names another owner than `owner` (case does not matter),
    GithubError if the body is no JSON array.
    """
    entries = [entry for entry in _array(body) if isinstance(entry, dict)]
    if owner is not None and any(_is_foreign(entry, owner) for entry in entries):
        raise ForeignGistError("GitHub listed gists of another user than the one asked for.")
    shown = [entry for entry in entries if secret or entry.get("public") is True]
    gists = tuple(gist for entry in shown if (gist := parse_gist(entry)) is not None)
    ids = tuple(gist_id for entry in entries if (gist_id := _id(entry)) is not None)
    return Entries(ids, gists, len(shown) - len(gists))


def parse_members(body: bytes) -> Entries:
    """The logins on one page of an organization's members. Raises GithubError as `parse_gists`."""
    entries = [entry for entry in _array(body) if isinstance(entry, dict)]
    return Entries(tuple(login for e in entries if (login := _text(e.get("login"))) is not None))


def parse_single(body: bytes, *, gist_id: str) -> Entries:
    """A gist as its own address shows it, public or not.

    Raises ForeignGistError for another gist than `gist_id` (case does not matter), GithubError if
    the body is none.
    """
    entry = parse_json(body)
    gist = parse_gist(entry) if isinstance(entry, dict) else None
    if gist is None:
        raise GithubError("GitHub answered something that is not a gist.")
    if gist.id.casefold() != gist_id.casefold():
        raise ForeignGistError("GitHub showed another gist than the one asked for.")
    return Entries((gist.id,), (gist,))


def parse_gist(entry: Mapping[str, Any]) -> Gist | None:
    """One entry of a listing; None without an address to name it by.

    A missing `created_at` is as late as can be: `order.Order` sets it to its neighbour's. A gist
    listed without its files, or with more than GitHub lists, counts as truncated: git has them all.
    """
    html_url = _text(entry.get("html_url"))
    gist_id = _id(entry)
    if html_url is None or gist_id is None:
        return None
    created_at = _time(entry.get("created_at")) or datetime.max.replace(tzinfo=UTC)
    description = entry.get("description")
    listed = entry.get("files")
    files = _files(listed) if isinstance(listed, dict) else []
    whole = isinstance(listed, dict) and len(files) == len(listed)
    return Gist(
        id=gist_id,
        html_url=html_url,
        description=description[:MAX_TEXT] if isinstance(description, str) else None,
        created_at=created_at,
        updated_at=_time(entry.get("updated_at")) or created_at,
        files=tuple(files),
        truncated=entry.get("truncated") is True or not whole,
        git_pull_url=_text(entry.get("git_pull_url")),
        owner=_owner(entry),
        node_id=_text(entry.get("node_id")),
    )


def _array(body: bytes) -> list[Any]:
    entries = parse_json(body)
    if not isinstance(entries, list):
        raise GithubError("GitHub answered something that is not a list.")
    return entries


def parse_json(body: bytes, max_values: int = MAX_VALUES) -> Any:  # noqa: ANN401 - whatever it is
    """The value that a body encodes; raises GithubError if it is no JSON or has too many values."""
    if body.count(b",") > max_values:
        _check_values(body, max_values)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise GithubError("GitHub answered something that is not JSON.") from None


def _check_values(body: bytes, max_values: int) -> None:
    """Raise GithubError if there are more commas than that outside of strings."""
    strings = ShortStrings(0)
    values = 0
    for at in range(0, len(body), CHUNK_BYTES):
        values += strings.feed(body[at : at + CHUNK_BYTES]).count(b",")
        if values > max_values:
            raise GithubError("GitHub answered more values than are read of one answer.")


def _is_foreign(entry: Mapping[str, Any], owner: str) -> bool:
    """Whether the entry names another owner; a missing one is none."""
    login = _owner(entry)
    return login is not None and login.casefold() != owner.casefold()


def _owner(entry: Mapping[str, Any]) -> str | None:
    about = entry.get("owner")
    return _text(about.get("login")) if isinstance(about, dict) else None


def _id(entry: Mapping[str, Any]) -> str | None:
    """The entry's id, else the last part of its address."""
    html_url = _text(entry.get("html_url"))
    return _text(entry.get("id")) or (html_url and html_url.rsplit("/", 1)[-1])


def _files(files: Mapping[str, Any]) -> list[GistFile]:
    found = []
    for key, file in list(files.items())[:MAX_FILES]:
        about = file if isinstance(file, dict) else {}
        name = _text(about.get("filename")) or key
        if len(name) > MAX_TEXT:
            continue
        raw_url = _text(about.get("raw_url"))
        size = about.get("size")
        sha = BLOB_SHA.search(raw_url) if raw_url else None
        found.append(
            GistFile(
                name=name,
                raw_url=raw_url,
                size_bytes=size if type(size) is int and size >= 0 else None,
                language=_text(about.get("language")),
                blob_sha=sha[1].lower() if sha else None,
            )
        )
    return found


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_TEXT else None


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
