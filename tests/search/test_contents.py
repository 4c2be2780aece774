"""Contents: odd bytes, odd names, hundreds of files, huge files, broken downloads."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from gistapi.events import GithubRequestEnded
from gistapi.models import Match, Query
from gistapi.search import git_reader
from tests.fake_github import FakeGithub, Fault, Gist, Repeated
from tests.fake_github.content import Content
from tests.fake_github.message import Request, text
from tests.search.searching import bench

NEEDLE = Query("octocat", "needle")
ODD_NAMES = [
    "with space.txt",
    "#hash",
    "100%.txt",
    "%2520.txt",
    'it\'s "quoted".py',
    "new\nline",
    "emoji-😀.md",
    "ümläut",
    "a?b=c&d",
    "semi;colon,comma(paren)*",
    "..",
    ".hidden",
    "back\\slash",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_file_of_any_name_is_read(github: FakeGithub, name: str) -> None:
    """The request has the address exactly as it was listed."""
    gist = github.add_user("octocat").add_gist({name: "a needle"})
    with bench(github) as ours:
        answer = ours.search(NEEDLE)
    assert answer.matches == [gist.html_url]
    (match,) = [event for event in answer.events if isinstance(event, Match)]
    assert [found.file.name for found in match.files if found.file] == [name]


@pytest.mark.parametrize(
    ("content", "pattern", "matches"),
    [
        (b"", r"\A\Z", True),
        (b"", "x", False),
        (b"\x00\x01needle\xff", "needle", True),
        (b"\x00\x01needle\xff", "\x00\x01n", True),
        (b"\x00\x01needle\xff", "e\ufffd$", True),
        ("né\r\nedle".encode("latin-1"), r"n\ufffd\r", True),
        (b"one\r\ntwo", r"one\r\ntwo", True),
        (b"one\r\ntwo", r"(?m)one$", False),
        ("a needle\n".encode("utf-16"), "needle$", True),
        (b"\xfe\xff" + "a needle\n".encode("utf-16-be"), "needle$", True),
        ("a needle".encode("utf-16-le"), "needle", False),
        (b"\xef\xbb\xbfneedle", "^needle", True),
        (b"\xef\xbb\xbfneedle", "^\ufeffneedle", False),
        ("straße İstanbul".encode(), r"(?i)STRASSE", False),
        ("straße İstanbul".encode(), r"\bİ\w+$", True),
        (b"\xf0\x9f\x98", "\ufffd", True),
        (b"\xff" * 5000, r"\A\ufffd{5000}\Z", True),
    ],
)
def test_contents_are_decoded_as_the_contract_says(
    github: FakeGithub, content: bytes, pattern: str, *, matches: bool
) -> None:
    """UTF-8 with invalid bytes replaced, or UTF-16 by its mark, is what `re.search` searches."""
    utf_16 = content[:2] in {b"\xff\xfe", b"\xfe\xff"}
    text = content.decode("utf-16" if utf_16 else "utf-8-sig", "replace")
    assert bool(re.search(pattern, text)) is matches
    github.add_user("octocat").add_gist({"a": content})
    with bench(github) as ours:
        answer = ours.search(Query("octocat", pattern))
    assert bool(answer.matches) is matches
    assert not answer.gaps


@pytest.mark.parametrize(
    ("listed", "matches", "reasons"),
    [
        (lambda entry: {**entry, "owner": None}, True, []),
        (lambda entry: {**entry, "files": {"a": None, **entry["files"]}}, True, []),
        (lambda entry: {**entry, "files": {"a": None}}, False, ["file_unavailable"]),
        (lambda entry: {**entry, "files": {}}, False, []),
        (lambda entry: {**entry, "html_url": None}, False, ["listing_unavailable"]),
        (lambda entry: {**entry, "public": False}, False, []),
        (lambda _: None, False, []),
    ],
)
def test_an_incomplete_listing_is_searched(
    github: FakeGithub,
    listed: Callable[[dict[str, Any]], Any],
    reasons: list[str],
    *,
    matches: bool,
) -> None:
    """A file without an address is a gap unless its gist matches; other gists are searched."""
    user = github.add_user("octocat")
    odd = user.add_gist({"b": "needle"}, listed=listed)
    plain = user.add_gist({"b": "needle"})
    with bench(github) as ours:
        answer = ours.search(NEEDLE)
    assert answer.matches == [plain.html_url, *([odd.html_url] if matches else [])]
    assert [gap.reason for gap in answer.gaps] == reasons


def test_an_old_address_with_a_commits_hash_is_searched(github: FakeGithub) -> None:
    """A content that does not hash to its address is accepted if it is the same twice."""
    user = github.add_user("octocat")
    gist = user.add_gist({"a": "hay", "b": "needle"}, commit_sha_urls=True)
    hay = user.add_gist({"c": "hay"}, commit_sha_urls=True)
    with bench(github, cache_url="memory:") as ours:
        for _ in range(2):
            answer = ours.search(NEEDLE)
            assert answer.matches == [gist.html_url]
            assert not answer.gaps
            ours.cache.flush(5)
    assert len([r for r in github.requests_to("raw") if hay.id in r.path]) == 4


def test_a_content_that_was_not_listed_is_a_gap(github: FakeGithub) -> None:
    """Another page, from whatever source, matches nothing and is reported."""
    gist = github.add_user("octocat").add_gist({"a": "needle"})
    github.faults.inject(
        Fault(answer=text(200, "an error page")), path=lambda request: "/users/" not in request.path
    )
    with bench(github) as ours:
        answer = ours.search(Query("octocat", "."))
    assert not answer.matches
    (gap,) = answer.gaps
    assert (gap.gist, gap.file) == (gist.html_url, "a")
    assert gap.reason in {"content_mismatch", "file_unavailable"}


def noise(size: int, needle_at: int) -> Content:
    """Incompressible bytes with a needle."""
    return Repeated(random.Random(1).randbytes(65_536), size, {needle_at: b"needle"})


def test_an_early_needle_ends_the_download_early(github: FakeGithub) -> None:
    """For a match in the first 4 KB of 100 MB, less than 256 KiB is read from the socket."""
    gist = github.add_user("octocat").add_gist({"a": noise(100 * 2**20, 4000)})
    with bench(github) as ours:
        assert ours.search(NEEDLE).matches == [gist.html_url]
        (raw,) = [e for e in ours.seen if isinstance(e, GithubRequestEnded) and e.kind == "raw"]
    assert 4000 < raw.size_bytes < 256 * 1024
    github.wait_quiet()
    assert github.requests_to("raw")[0].aborted


@pytest.mark.parametrize(
    "piece", [b"x" * 65_536, b"\xff" * 65_536], ids=["one line", "wrong bytes"]
)
def test_a_hundred_megabytes_without_a_line_end_are_searched(
    github: FakeGithub, piece: bytes
) -> None:
    """One line of 100 MB, of text or of invalid bytes, has the needle at its end."""
    size = 100_000_000
    gist = github.add_user("octocat").add_gist({"a": Repeated(piece, size, {size - 6: b"needle"})})
    with bench(github) as ours:
        answer = ours.search(Query("octocat", r"needle\Z"))
    assert answer.matches == [gist.html_url]
    assert not answer.gaps
    (match,) = [event for event in answer.events if isinstance(event, Match)]
    (hit,) = match.files[0].hits
    assert (hit.line, hit.column) == (1, size - 5)
    assert hit.text.endswith("needle")


def test_a_search_continued_after_deadlines_reads_nothing_twice(github: FakeGithub) -> None:
    """Following `next`, later requests find in the cache what arrived before a deadline."""
    user = github.add_user("octocat")
    user.generate(300)
    github.traffic["raw"].latency_seconds = 0.05
    calls = 0
    with bench(github, cache_url="memory:") as ours:
        found = []
        query = Query("octocat", r"gist \d*7,")
        for answer in ours.follow(query, expires=lambda found: len(found.matches) == 8):
            found += answer.matches
            calls += 1
    assert calls > 2
    # in any order: a gist that a deadline cut is in a later answer than the gists around it
    assert sorted(found) == sorted(user.matching(r"gist \d*7,"))
    assert len(found) == 30
    read = [e for e in ours.seen if isinstance(e, GithubRequestEnded) and e.kind == "raw"]
    asked = github.requests_to("raw")
    files = {request.path for request in asked}
    assert len([request for request in read if request.error is None]) <= len(files)
    # a request that a deadline cut was in progress or about to be sent
    assert len(asked) <= len(files) + 2 * 16 * calls


@pytest.mark.parametrize("size", [2_000_000, 12_000_000])
def test_a_large_file_missing_from_raw_is_read_by_git(github: FakeGithub, size: int) -> None:
    """A 404 for a large file does not mean that it was deleted."""
    gist = github.add_user("octocat").add_gist({"large": noise(size, size - 1000)})
    github.faults.inject(Fault(answer=text(404, "404: Not Found")), origin="raw")
    with bench(github) as ours:
        answer = ours.search(NEEDLE)
    assert answer.matches == [gist.html_url]
    assert not answer.gaps


@pytest.mark.parametrize("left", [False, True])
def test_a_file_that_neither_raw_nor_git_has_is_a_gap(github: FakeGithub, *, left: bool) -> None:
    """The raw host refuses it, and git has other files, or no commit."""
    files: dict[str, Content | str] = {"big": noise(2_000_000, 1_000_000), "other": "hay"}
    gist = github.add_user("octocat").add_gist(files)
    github.raw.largest_bytes = 1_000_000
    forget_in_git(github, gist, {"big"} if left else set(files))
    with bench(github) as ours:
        answer = ours.search(NEEDLE)
    assert [(gap.gist, gap.file, gap.reason) for gap in answer.gaps] == [
        (gist.html_url, "big", "file_unavailable")
    ]
    assert answer.end.partial


def test_a_truncated_gist_without_a_commit_is_a_gap(github: FakeGithub) -> None:
    """The listed files are not reported as searched."""
    gist = github.add_user("octocat").add_gist({"a": "needle", "b": "hay"}, truncated=True)
    forget_in_git(github, gist, {"a", "b"})
    with bench(github) as ours:
        answers = [ours.search(NEEDLE) for _ in range(2)]
    for answer in answers:
        assert [(gap.gist, gap.reason) for gap in answer.gaps] == [
            (gist.html_url, "file_unavailable")
        ]
        assert answer.end.partial


def test_the_names_that_git_showed_are_not_parsed_on_the_loop(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may have a MiB, and other searches would wait until that is written or read."""
    threads: dict[str, str] = {}

    def noting(name: str) -> Callable[[Any], Any]:
        def run(value: Any) -> Any:
            threads[name] = threading.current_thread().name
            return getattr(json, name)(value)

        return run

    names = ("dumps", "loads")
    monkeypatch.setattr(git_reader, "json", SimpleNamespace(**{n: noting(n) for n in names}))
    gist = github.add_user("octocat").add_gist({"a": "hay", "b": "needle"}, truncated=True)
    with bench(github, cache_url="memory:") as ours:
        for _ in range(2):
            assert ours.search(Query("octocat", "needle", max_count=1)).matches == [gist.html_url]
    assert [threads[name].startswith("gistapi-cache") for name in names] == [True, True]


def forget_in_git(github: FakeGithub, gist: Gist, names: set[str]) -> None:
    """Remove these files after the gist was listed, before it is cloned."""

    def remove(request: Request) -> None:
        if request.origin == "git" and names <= gist.files.keys():
            gist.edit(dict.fromkeys(names))

    github.on_request(remove)


@pytest.mark.parametrize("filtered", [False, True])
def test_a_gist_of_450_files_is_read_by_git(github: FakeGithub, *, filtered: bool) -> None:
    """The listing shows 300 of them; the needle in number 437 is found, and filters apply."""
    files = {f"f{number:03}.txt": "hay" for number in range(450)}
    files["f436.txt"] = "the needle"
    gist = github.add_user("octocat").add_gist(files)
    globs = ("f43*",) if filtered else ()
    with bench(github) as ours:
        answer = ours.search(Query("octocat", "needle", files=globs))
        assert answer.matches == [gist.html_url]
        nothing = ours.search(Query("octocat", "needle", files=("f0*",)))
        assert not nothing.matches
        assert not nothing.gaps
        unknown = ours.search(Query("octocat", "nowhere", languages=("Text",)))
    assert {gap.reason for gap in unknown.gaps} == {"language_unknown"}
    assert not github.requests_to("raw")


@pytest.mark.parametrize("most_bytes", [450 * 72, 450 * 72 - 1])
def test_the_names_of_few_files_are_kept(
    github: FakeGithub, most_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gist whose names take more is cloned again; either way all of its files are searched."""
    monkeypatch.setattr(git_reader, "MAX_TREE_BYTES", most_bytes)
    files = {f"f{number:03}.txt": f"{number}" for number in range(450)}
    gist = github.add_user("octocat").add_gist(files)
    with bench(github, cache_url="memory:") as ours:
        cloned = []
        for _ in range(2):
            assert not ours.search(Query("octocat", "nowhere")).gaps
            cloned.append(len(github.requests_to("git")))
        assert ours.search(Query("octocat", "449")).matches == [gist.html_url]
    is_kept = most_bytes == 450 * 72
    assert (cloned[0] == cloned[1]) == is_kept
