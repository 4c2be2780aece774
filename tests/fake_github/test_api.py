"""The fake GitHub's API behaves like the real one."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import urllib3

from tests.fake_github import FakeGithub, Request, limits, without


def pages(http: requests.Session, url: str) -> list[list[dict[str, Any]]]:
    """Follow `Link` from `url` to the end."""
    found = []
    following: str | None = url
    while following:
        response = http.get(following, timeout=10)
        response.raise_for_status()
        found.append(response.json())
        following = response.links.get("next", {}).get("url")
    return found


def ids(found: list[list[dict[str, Any]]]) -> list[str]:
    """The ids on all pages."""
    return [entry["id"] for page in found for entry in page]


def gists_url(github: FakeGithub, login: str = "octocat", query: str = "") -> str:
    """The address of a user's list."""
    return f"{github.api_url}/users/{login}/gists{query}"


def test_gists_are_listed_once_newest_first(github: FakeGithub, http: requests.Session) -> None:
    """Following `next` returns each gist once, by time of creation and not by when it was added."""
    octocat = github.add_user("octocat")
    octocat.generate(249)
    old = octocat.add_gist({"a": "a"}, created_at=datetime(2010, 1, 1, tzinfo=UTC))
    found = pages(http, gists_url(github, query="?per_page=100"))
    assert [len(page) for page in found] == [100, 100, 50]
    assert ids(found) == [gist.id for gist in octocat.in_order()]
    assert ids(found)[-1] == old.id
    times = [entry["created_at"] for page in found for entry in page]
    assert times == sorted(times, reverse=True)


def test_link_names_the_numeric_path(github: FakeGithub, http: requests.Session) -> None:
    """`Link` leads to `/user/{id}/gists` with the same query; there is none for a single page."""
    github.add_user("nobody")
    octocat = github.add_user("octocat")
    octocat.generate(5)
    links = http.get(gists_url(github, query="?per_page=2&page=2"), timeout=10).links
    address = f"{github.api_url}/user/{octocat.id}/gists?per_page=2"
    assert {relation: link["url"] for relation, link in links.items()} == {
        "prev": f"{address}&page=1",
        "next": f"{address}&page=3",
        "last": f"{address}&page=3",
        "first": f"{address}&page=1",
    }
    github.api.link_last = False
    assert set(http.get(gists_url(github, query="?per_page=2"), timeout=10).links) == {"next"}
    assert "Link" not in http.get(gists_url(github), timeout=10).headers


@pytest.mark.parametrize(
    ("query", "count"), [("", 30), ("?per_page=100", 100), ("?per_page=101", 100), ("?page=5", 10)]
)
def test_page_sizes(github: FakeGithub, http: requests.Session, query: str, count: int) -> None:
    """`per_page` is 30 by default and at most 100."""
    github.add_user("octocat").generate(130)
    assert len(http.get(gists_url(github, query=query), timeout=10).json()) == count


def test_since_filters_by_update_time(github: FakeGithub, http: requests.Session) -> None:
    """`since` returns what was updated at that time or later, whenever it was created."""
    octocat = github.add_user("octocat")
    edited, _ = octocat.add_gist({"a": "1"}), octocat.add_gist({"b": "1"})
    edited.edit({"a": "2"})
    since = edited.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert ids(pages(http, gists_url(github, query=f"?since={since}"))) == [edited.id]


def test_an_etag_saves_the_body(github: FakeGithub, http: requests.Session) -> None:
    """Each page has a weak ETag, which changes with any gist on it; otherwise the answer is 304."""
    octocat = github.add_user("octocat")
    gist = octocat.add_gist({"a": "1"})
    first = http.get(gists_url(github), timeout=10)
    known = {"If-None-Match": first.headers["ETag"]}
    again = http.get(gists_url(github), headers=known, timeout=10)
    gist.edit({"a": "2"})
    changed = http.get(gists_url(github), headers=known, timeout=10)
    assert first.headers["ETag"].startswith('W/"')
    assert (again.status_code, again.content) == (304, b"")
    assert changed.status_code == 200


@pytest.mark.parametrize(("headers", "cost"), [({}, 1), ({"Authorization": "Bearer t"}, 0)])
def test_a_304_is_free_with_a_token_only(
    github: FakeGithub, http: requests.Session, headers: dict[str, str], cost: int
) -> None:
    """Without a token, a conditional request costs as much as any other, even if it gets a 304."""
    github.add_user("octocat")
    first = http.get(gists_url(github), headers=headers, timeout=10)
    known = headers | {"If-None-Match": first.headers["ETag"]}
    again = http.get(gists_url(github), headers=known, timeout=10)
    before, after = (int(r.headers["X-RateLimit-Remaining"]) for r in (first, again))
    assert (again.status_code, before - after) == (304, cost)


@pytest.mark.parametrize("status", [403, 429])
def test_the_primary_limit(
    github: FakeGithub, http: requests.Session, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the limit, every answer has `remaining: 0` and a reset in whole seconds, until then."""
    github.add_user("octocat")
    limit = github.rate_limit
    limit.limit, limit.status, limit.window_seconds = 2, status, 3600.5
    now = [1_000_000_000.0]
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: now[0]))
    codes = [http.get(gists_url(github), timeout=10).status_code for _ in range(3)]
    refused = http.get(gists_url(github), timeout=10)
    assert codes == [200, 200, status]
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert refused.headers["X-RateLimit-Limit"] == refused.headers["X-RateLimit-Used"] == "2"
    reset = int(refused.headers["X-RateLimit-Reset"])
    assert reset == now[0] + 3601
    now[0] = reset - 0.1
    assert http.get(gists_url(github), timeout=10).status_code == status
    now[0] = reset
    assert http.get(gists_url(github), timeout=10).status_code == 200


def test_requesting_the_limit_is_free(github: FakeGithub, http: requests.Session) -> None:
    """`GET /rate_limit` answers even at the limit; each token has a limit of its own."""
    github.rate_limit.use_up()
    rate = http.get(f"{github.api_url}/rate_limit", timeout=10).json()["rate"]
    own = {"Authorization": "Bearer t"}
    owned = http.get(f"{github.api_url}/rate_limit", headers=own, timeout=10).json()["rate"]
    assert (rate["limit"], rate["remaining"]) == (60, 0)
    assert (owned["limit"], owned["remaining"]) == (5000, 5000)


def test_a_user_agent_is_required(github: FakeGithub, http: requests.Session) -> None:
    """Without `User-Agent` the answer is 403 in plain text."""
    unnamed = {"User-Agent": urllib3.util.SKIP_HEADER}
    response = http.get(gists_url(github), headers=unnamed, timeout=10)
    assert response.status_code == 403
    assert response.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/users/octocat/gists/", {}, 404),
        ("/users/nobody/gists", {}, 404),
        ("/user/99/gists", {}, 404),
        ("/gists/none", {}, 404),
        ("/elsewhere", {}, 404),
        ("/users/octocat/gists", {"X-GitHub-Api-Version": "2023-01-01"}, 400),
        ("/users/octocat/gists", {"X-GitHub-Api-Version": "2021-10-04"}, 410),
        ("/users/octocat/gists", {"Authorization": "Bearer wrong"}, 401),
        ("/users/octocat/gists", {"Authorization": "Bearer right"}, 200),
    ],
)
def test_refusals(
    github: FakeGithub, http: requests.Session, path: str, headers: dict[str, str], status: int
) -> None:
    """An unknown address or object is answered with its status and GitHub's JSON error."""
    github.add_user("octocat")
    github.api.tokens = {"right"}
    response = http.get(github.api_url + path, headers=headers, timeout=10)
    assert response.status_code == status
    if status != 200:
        assert response.json()["status"] == str(status)


def test_the_newer_version_drops_fields(github: FakeGithub, http: requests.Session) -> None:
    """Version 2026-03-10 has no `user` in lists, nor `forks` and `history` in a gist."""
    gist = github.add_user("octocat").add_gist({"a": "1"})
    dropped = {}
    for version in ("2022-11-28", "2026-03-10"):
        headers = {"X-GitHub-Api-Version": version}
        listed = http.get(gists_url(github), headers=headers, timeout=10).json()[0]
        single = http.get(f"{github.api_url}/gists/{gist.id}", headers=headers, timeout=10).json()
        dropped[version] = {"user"} & listed.keys(), {"forks", "history"} & single.keys()
    assert dropped == {
        "2022-11-28": ({"user"}, {"forks", "history"}),
        "2026-03-10": (set(), set()),
    }


def test_a_listed_file(github: FakeGithub, http: requests.Session) -> None:
    """A listing shows name, language, size in bytes and the raw address, never the content."""
    github.add_user("octocat").add_gist({"né.py": "café", "a.unknown": "1"})
    files = http.get(gists_url(github), timeout=10).json()[0]["files"]
    file = files["né.py"]
    assert file.keys() == {"filename", "type", "language", "raw_url", "size"}
    assert (file["language"], file["size"]) == ("Python", 5)
    assert file["raw_url"].startswith(github.raw_url + "/octocat/")
    assert files["a.unknown"]["language"] is None


def test_a_single_gist_has_contents(github: FakeGithub, http: requests.Session) -> None:
    """A single gist shows up to 1 MB of each file, marks what is cut, and encodes binaries."""
    octocat = github.add_user("octocat")
    gist = octocat.add_gist({"a": "text", "big": "x" * 1_000_001, "binary": b"\xff\0"})
    shown = http.get(f"{github.api_url}/gists/{gist.id}", timeout=10).json()["files"]
    assert (shown["a"]["content"], shown["a"]["truncated"]) == ("text", False)
    assert (len(shown["big"]["content"]), shown["big"]["truncated"]) == (1_000_000, True)
    assert (shown["binary"]["content"], shown["binary"]["encoding"]) == ("/wA=", "base64")


def test_over_300_files_a_gist_is_truncated(github: FakeGithub, http: requests.Session) -> None:
    """The listing shows the first 300 files and says that there are more."""
    github.add_user("octocat").add_gist({f"{number:03}": "x" for number in range(301)})
    entry = http.get(gists_url(github), timeout=10).json()[0]
    assert entry["truncated"] is True
    assert list(entry["files"]) == [f"{number:03}" for number in range(300)]


def test_any_entry_can_be_malformed(github: FakeGithub, http: requests.Session) -> None:
    """`listed` can make an entry null, or drop or change its fields."""
    octocat = github.add_user("octocat")
    octocat.add_gist(listed=lambda _: None)
    octocat.add_gist(listed=without("owner", "truncated"))
    octocat.add_gist(listed=lambda entry: entry | {"files": None})
    odd, bare, null = http.get(gists_url(github), timeout=10).json()
    assert null is None
    assert not {"owner", "truncated"} & bare.keys()
    assert odd["files"] is None


def test_secret_gists_are_listed_with_a_token(github: FakeGithub, http: requests.Session) -> None:
    """Without a token, a list has public gists only."""
    github.add_user("octocat").add_gist({"a": "1"}, public=False)
    own = {"Authorization": "Bearer t"}
    assert http.get(gists_url(github), timeout=10).json() == []
    assert [e["public"] for e in http.get(gists_url(github), headers=own, timeout=10).json()] == [
        False
    ]


def test_a_gist_deleted_while_paging_hides_another(
    github: FakeGithub, http: requests.Session
) -> None:
    """A deletion on the first page shifts the rest by one and skips one; a new gist repeats one."""
    octocat = github.add_user("octocat")
    octocat.generate(6)
    order = [gist.id for gist in octocat.in_order()]

    def change(request: Request) -> None:
        if request.query.get("page") == "2":
            octocat.in_order()[0].delete()
        if request.query.get("page") == "3":
            octocat.add_gist({"new": "x"})

    github.on_request(change)
    found = ids(pages(http, gists_url(github, query="?per_page=2")))
    assert order[2] not in found
    assert [found.count(gist_id) for gist_id in order[3:]] == [1, 2, 1]


def test_json_is_compressed_on_request(github: FakeGithub, http: requests.Session) -> None:
    """The JSON is the same, compressed or not."""
    github.add_user("octocat").generate(10)
    packed = http.get(gists_url(github), timeout=10)
    plain = http.get(gists_url(github), headers={"Accept-Encoding": "identity"}, timeout=10)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.json() == plain.json()


def test_a_user_is_found_by_login_in_any_case(github: FakeGithub, http: requests.Session) -> None:
    """`GET /users/{login}` returns the login, the numeric id and the number of gists."""
    github.add_user("Octocat").generate(3)
    user = http.get(f"{github.api_url}/users/oCTOCAT", timeout=10).json()
    assert (user["login"], user["public_gists"]) == ("Octocat", 3)
    same = http.get(f"{github.api_url}/user/{user['id']}", timeout=10).json()
    assert same == user
