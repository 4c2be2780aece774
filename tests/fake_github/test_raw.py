"""The fake GitHub's raw origin behaves like the real one."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import unquote

import pytest
import requests

from tests.fake_github import Content, FakeGithub, Gist, Repeated

IDENTITY = {"Accept-Encoding": "identity"}


def listed(github: FakeGithub, http: requests.Session, gist: Gist, name: str) -> dict[str, Any]:
    """A file's entry in the list."""
    entries = http.get(f"{github.api_url}/users/{gist.owner.login}/gists", timeout=10).json()
    entry = next(entry for entry in entries if entry["id"] == gist.id)
    found: dict[str, Any] = entry["files"][name]
    return found


def raw_url(github: FakeGithub, gist: Gist, name: str) -> str:
    """A file's current raw address."""
    return github.raw_url + gist.raw_path(gist.files[name])


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b"", "text/plain; charset=utf-8"),
        ("café\r\n".encode(), "text/plain; charset=utf-8"),
        (b"\xff\xfea\0b\0", "application/octet-stream"),
    ],
)
def test_a_file_is_served_byte_for_byte(
    github: FakeGithub, http: requests.Session, data: bytes, content_type: str
) -> None:
    """The address in the list names the git blob's hash and leads to these bytes."""
    gist = github.add_user("octocat").add_gist({"a": data})
    entry = listed(github, http, gist, "a")
    response = http.get(entry["raw_url"], timeout=10)
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    assert entry["raw_url"] == f"{github.raw_url}/octocat/{gist.id}/raw/{blob}/a"
    assert (response.content, entry["size"]) == (data, len(data))
    assert response.headers["Content-Type"] == content_type
    assert not [name for name in response.headers if "ratelimit" in name.lower()]


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("a b", "a%20b"),
        ("'(a)*=;", "'(a)*=;"),
        ("100%", "100%25"),
        ("a#b?c", "a%23b%3Fc"),
        ('"\n', "%22%0A"),
        ("é🫖", "%C3%A9%F0%9F%AB%96"),
        ("\udcff", "%FF"),
    ],
)
def test_names_are_quoted_as_github_quotes_them(
    github: FakeGithub, http: requests.Session, name: str, quoted: str
) -> None:
    """An address is percent-encoded once, except `' ( ) * = ;`, and leads to the file."""
    gist = github.add_user("octocat").add_gist({name: "x"})
    address = listed(github, http, gist, name)["raw_url"]
    assert address.rpartition("/")[2] == quoted
    assert unquote(quoted, errors="surrogateescape") == name
    assert http.get(address, timeout=10).text == "x"


def test_an_old_content_stays_available(github: FakeGithub, http: requests.Session) -> None:
    """It is served under its hash after an edit, but not after the gist's deletion."""
    gist = github.add_user("octocat").add_gist({"a": "old"})
    before = raw_url(github, gist, "a")
    gist.edit({"a": "new"})
    after = raw_url(github, gist, "a")
    assert [http.get(url, timeout=10).text for url in (before, after)] == ["old", "new"]
    gist.delete()
    gone = http.get(before, timeout=10)
    assert (gone.status_code, gone.text) == (404, "404: Not Found")


def test_an_address_may_name_a_commit(github: FakeGithub, http: requests.Session) -> None:
    """With `commit_sha_urls` the 40 hex digits are not the content's hash; it is served anyway."""
    gist = github.add_user("octocat").add_gist({"a": "x"}, commit_sha_urls=True)
    file = gist.files["a"]
    assert len(file.sha) == 40
    assert file.sha != file.content.blob_sha
    assert http.get(raw_url(github, gist, "a"), timeout=10).text == "x"


def test_gzip_on_request(github: FakeGithub, http: requests.Session) -> None:
    """The compressed form has a weak ETag, the plain one a strong one."""
    gist = github.add_user("octocat").add_gist({"a": "x" * 1000})
    packed = http.get(raw_url(github, gist, "a"), timeout=10)
    plain = http.get(raw_url(github, gist, "a"), headers=IDENTITY, timeout=10)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content == plain.content == b"x" * 1000
    assert packed.headers["ETag"] == "W/" + plain.headers["ETag"]
    assert plain.headers["Content-Length"] == "1000"


def test_a_known_etag_is_304(github: FakeGithub, http: requests.Session) -> None:
    """The answer to `If-None-Match` with the content's ETag has no body."""
    gist = github.add_user("octocat").add_gist({"a": "x"})
    tag = http.get(raw_url(github, gist, "a"), timeout=10).headers["ETag"]
    again = http.get(raw_url(github, gist, "a"), headers={"If-None-Match": tag}, timeout=10)
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("wanted", "status", "content_range", "body"),
    [
        ("bytes=2-4", 206, "bytes 2-4/10", "234"),
        ("bytes=7-", 206, "bytes 7-9/10", "789"),
        ("bytes=7-99", 206, "bytes 7-9/10", "789"),
        ("bytes=-3", 206, "bytes 7-9/10", "789"),
        ("bytes=10-", 416, "bytes */10", ""),
        ("lines=1-2", 200, None, "0123456789"),
    ],
)
def test_ranges(
    github: FakeGithub,
    http: requests.Session,
    wanted: str,
    status: int,
    content_range: str | None,
    body: str,
) -> None:
    """A range gets a 206, one beyond the end a 416, an unknown unit the whole content."""
    gist = github.add_user("octocat").add_gist({"a": "0123456789"})
    response = http.get(raw_url(github, gist, "a"), headers={"Range": wanted}, timeout=10)
    assert (response.status_code, response.text) == (status, body)
    assert response.headers.get("Content-Range") == content_range


def test_if_range_requires_the_same_content(github: FakeGithub, http: requests.Session) -> None:
    """With an ETag of another content, the whole content is sent."""
    gist = github.add_user("octocat").add_gist({"a": "0123456789"})
    url = raw_url(github, gist, "a")
    tag = http.get(url, headers=IDENTITY, timeout=10).headers["ETag"]
    bodies = []
    for given in (tag, '"other"'):
        headers = IDENTITY | {"Range": "bytes=8-", "If-Range": given}
        bodies.append(http.get(url, headers=headers, timeout=10).text)
    assert bodies == ["89", "0123456789"]


def test_large_files_can_be_refused(github: FakeGithub, http: requests.Session) -> None:
    """Over `largest_bytes` the answer is 403 in text."""
    gist = github.add_user("octocat").add_gist({"small": "x" * 10, "big": "x" * 11})
    github.raw.largest_bytes = 10
    codes = [http.get(raw_url(github, gist, n), timeout=10).status_code for n in ("small", "big")]
    assert codes == [200, 403]


def test_a_large_content_is_generated_as_it_is_sent(
    github: FakeGithub, http: requests.Session
) -> None:
    """A repeated block of 100 MB with a needle near its end arrives whole, with the listed hash."""
    total, at = 100_000_000, 99_999_000
    big = Repeated(b"all work and no play\n", total, {at: b"NEEDLE"})
    gist = github.add_user("octocat").add_gist({"big": big})
    digest, position, found = hashlib.sha1(b"blob %d\0" % total, usedforsecurity=False), 0, -1
    url = raw_url(github, gist, "big")
    with http.get(url, headers=IDENTITY, stream=True, timeout=10) as response:
        for chunk in response.iter_content(1 << 20):
            digest.update(chunk)
            if b"NEEDLE" in chunk:
                found = position + chunk.index(b"NEEDLE")
            position += len(chunk)
    assert (position, found) == (total, at)
    assert digest.hexdigest() in url


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [(0, 7, b"abcabXY"), (0, 10, b"abcabXYbca"), (6, 10, b"Ybca"), (7, 9, b"bc"), (5, 5, b"")],
)
def test_a_repeated_block_reads_anywhere(start: int, stop: int, expected: bytes) -> None:
    """Any slice of a generated content is that slice of the whole, patches included."""
    content: Content = Repeated(b"cab", 10, {5: b"XY"}, phase=1)
    assert content.read(start, stop) == expected


def test_generated_gists_are_reproducible(github: FakeGithub, http: requests.Session) -> None:
    """A seed makes the same names and contents for each user; another seed makes others."""
    made = {}
    for login, seed in (("one", 1), ("same", 1), ("other", 2)):
        user = github.add_user(login)
        user.generate(40, seed=seed, files_per_gist=2, size_bytes=500)
        made[login] = [(f.name, f.sha) for g in user.gists for f in g.files.values()]
        for gist in user.gists[:3]:
            for name, file in gist.files.items():
                body = http.get(raw_url(github, gist, name), timeout=10).content
                assert len(body) == file.content.size
    files = made["one"]
    assert files == made["same"] != made["other"]
    assert len({sha for _, sha in files}) == len(files)
    assert 60 <= len(files) <= 100
    assert len(github.world.gists) == 3 * 40


def test_an_id_is_unique(github: FakeGithub) -> None:
    """A second gist with the same id is an error in the test."""
    octocat = github.add_user("octocat")
    octocat.add_gist(gist_id="1")
    with pytest.raises(ValueError, match="already"):
        octocat.add_gist(gist_id="1")
