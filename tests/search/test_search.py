"""A search with all its parts, from GitHub's sockets to the events."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import timedelta

import pytest

from gistapi.errors import (
    GithubError,
    GithubRateLimitedError,
    GithubTimeoutError,
    OverloadedError,
    UserNotFoundError,
)
from gistapi.events import SearchEnded
from gistapi.github import Freshness
from gistapi.models import Begin, Flags, Match, Query
from tests.fake_github import FakeGithub, Fault, Response
from tests.fake_github.message import Request, text
from tests.search.searching import Answer, bench
from tests.waiting import HANG_SECONDS, until

NEEDLE = Query("octocat", "needle")
HELD = Fault(held=threading.Event())
"""A request that is never answered."""


def is_raw_of(name: str) -> str:
    """The end of the raw address of a file with that name."""
    return f"/{name}"


def refuse_other_sources(github: FakeGithub) -> None:
    """Leave the raw host as the only source of contents."""
    broken = Fault(answer=Response(500))
    github.faults.inject(broken, path=lambda asked: asked.target.startswith("/gists/"))
    github.faults.inject(broken, origin="git")


@pytest.mark.parametrize("cache_url", ["off", "memory:"])
def test_every_match_is_found(github: FakeGithub, cache_url: str) -> None:
    """Each is found once, in GitHub's order, and again by a later search."""
    user = github.add_user("octocat")
    user.generate(230)
    pattern = r"merge\s+merge"
    expected = user.matching(pattern)
    assert 10 < len(expected) < 230
    with bench(github, cache_url=cache_url) as ours:
        for _ in range(2):
            answer = ours.search(Query("octocat", pattern))
            assert isinstance(answer.events[0], Begin)
            assert answer.matches == expected
            assert not answer.end.partial
            assert answer.end.next is None
            assert answer.end.matches == len(expected)
            ours.cache.flush(HANG_SECONDS)


def test_a_user_without_gists_has_an_empty_answer(github: FakeGithub) -> None:
    """Having no gists, or only gists without files, is no error."""
    github.add_user("octocat")
    github.add_user("hubot").add_gist({})
    with bench(github) as ours:
        for name in ("octocat", "hubot"):
            answer = ours.search(Query(name, "x"))
            assert not answer.matches
            assert not answer.end.partial


def test_a_match_says_where(github: FakeGithub) -> None:
    """A match has the gist as listed, with file, line and column."""
    user = github.add_user("octocat")
    user.add_gist({"a.txt": "nothing", "b.txt": "one\n  a Needle\n"}, description="Two files")
    with bench(github) as ours:
        answer = ours.search(Query("octocat", "needle", Flags(ignore_case=True)))
        (match,) = [event for event in answer.events if isinstance(event, Match)]
    assert match.gist.description == "Two files"
    (found,) = match.files
    (hit,) = found.hits
    assert found.file is not None
    assert found.file.name == "b.txt"
    assert (hit.line, hit.column, hit.text) == (2, 5, "  a Needle")


def test_filtered_files_are_not_fetched(github: FakeGithub) -> None:
    """A file that the query excludes is never requested."""
    user = github.add_user("octocat")
    gist = user.add_gist({"a.py": "needle", "b.md": "needle"})
    old = user.add_gist({"c.py": "needle"})
    gist.updated_at += timedelta(days=9)
    since = gist.updated_at
    with bench(github) as ours:
        answer = ours.search(Query("octocat", "needle", files=("*.md",), updated_since=since))
    assert answer.matches == [gist.html_url]
    assert [request.path.rpartition("/")[2] for request in github.requests_to("raw")] == ["b.md"]
    assert old.html_url not in answer.matches


def test_an_unknown_user_is_an_error(github: FakeGithub) -> None:
    """GitHub's 404 is raised before Begin, and is observed."""
    with bench(github) as ours:
        with pytest.raises(UserNotFoundError):
            ours.search(NEEDLE)
        (ended,) = [event for event in ours.seen if isinstance(event, SearchEnded)]
    assert ended.outcome == "UserNotFoundError"


def test_a_deleted_file_or_gist_is_no_gap(github: FakeGithub) -> None:
    """A 404 for something deleted since it was listed is not a failure."""
    user = github.add_user("octocat")
    doomed = user.add_gist({"a": "needle"})

    def delete(request: Request) -> None:
        if request.origin == "raw" and doomed in user.gists:
            doomed.delete()

    github.on_request(delete)
    with bench(github) as ours:
        answer = ours.search(NEEDLE)
    assert not answer.matches
    assert not answer.end.partial


def test_a_limited_raw_host_stops_the_search_with_a_cursor(github: FakeGithub) -> None:
    """Decided gists are reported; the cursor continues later and finds the rest."""
    user = github.add_user("octocat")
    for number in range(100):
        user.add_gist({f"f{number}": "needle"})
    limited = Fault(answer=text(429, "too many", retry_after="120"))
    rule = github.faults.inject(limited, path=is_raw_of("f50"))
    refuse_other_sources(github)
    with bench(github, concurrency=4) as ours:
        answer = ours.search(NEEDLE)
        assert [(gap.gist, gap.reason) for gap in answer.gaps] == [(None, "github_rate_limited")]
        assert answer.end.next is not None
        expected = user.matching("needle")
        with pytest.raises(GithubRateLimitedError) as refused:
            ours.search(Query("octocat", "needle", cursor=answer.end.next))
        assert 100 < refused.value.retry_after_seconds <= 120
    github.faults.remove(rule)
    with bench(github) as ours:
        rest = ours.search(Query("octocat", "needle", cursor=answer.end.next))
    assert sorted(answer.matches + rest.matches) == sorted(expected)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (text(403, "secondary rate limit", retry_after="600"), "github_rate_limited"),
        (Response(500), "listing_unavailable"),
        (text(200, "<html>"), "listing_unavailable"),
    ],
)
def test_a_listing_that_breaks_off_leaves_a_cursor(
    github: FakeGithub, fault: Response, reason: str
) -> None:
    """Gists listed before are searched and reported; the rest is for the next request."""
    user = github.add_user("octocat")
    for _ in range(150):
        user.add_gist({"a": "needle"})
    rule = github.faults.inject(Fault(answer=fault), path="page=2")
    with bench(github) as ours:
        answer = ours.search(NEEDLE)
    assert 100 <= len(answer.matches) < 150
    assert [gap.reason for gap in answer.gaps] == [reason]
    github.faults.remove(rule)
    with bench(github) as ours:
        rest = ours.search(Query("octocat", "needle", cursor=answer.end.next))
    assert answer.matches + rest.matches == user.matching("needle")


def test_a_failure_before_the_first_page_is_an_error(github: FakeGithub) -> None:
    """Nothing could be searched, so GitHub's failure is raised."""
    github.add_user("octocat").add_gist({"a": "needle"})
    rule = github.faults.inject(Fault(answer=Response(500)), origin="api")
    with bench(github) as ours, pytest.raises(GithubError, match="500"):
        ours.search(NEEDLE)
    github.faults.remove(rule)
    github.faults.inject(Fault(hang=True, cut_head_at=0), origin="api")
    with bench(github, deadline_seconds=0.5) as ours, pytest.raises(GithubTimeoutError):
        ours.search(NEEDLE)


def test_a_match_cancels_the_rest_of_its_gist(github: FakeGithub) -> None:
    """A file of the same gist that hangs delays nothing."""
    user = github.add_user("octocat")
    user.add_gist({"a": "needle", "slow": "x"})
    github.faults.inject(HELD, path=is_raw_of("slow"))
    with bench(github) as ours:
        answer = ours.search(NEEDLE)
    assert answer.matches == user.matching("needle")
    assert not answer.end.partial
    github.wait_quiet(HANG_SECONDS)


def test_closing_a_search_stops_its_requests(github: FakeGithub) -> None:
    """When the events are closed, no further request is sent to GitHub."""
    user = github.add_user("octocat")
    for number in range(300):
        user.add_gist({f"f{number}": "needle"})
    github.add_user("hubot").add_gist({"last": "needle"})
    gate = threading.Event()
    prompt = ("/f299", "/last")
    github.faults.inject(
        Fault(held=gate), origin="raw", path=lambda request: not request.path.endswith(prompt)
    )
    with bench(github, concurrency=4) as ours:
        with closing(ours.searcher.search(NEEDLE)) as events:
            assert isinstance(next(events), Begin)
            assert any(isinstance(event, Match) for event in events)
            until(lambda: github.traffic["raw"].in_flight == 4)
        github.wait_quiet(HANG_SECONDS)
        # a later search would wait behind requests that the first had queued
        assert ours.search(Query("hubot", "needle")).matches
        assert len(github.requests_to("raw")) == 1 + 4 + 1
        ended, _ = [event for event in ours.seen if isinstance(event, SearchEnded)]
    assert ended.outcome == "cancelled"


def test_a_large_search_does_not_delay_a_small_one(github: FakeGithub) -> None:
    """A search of three gists ends while one of three thousand holds all places it may have."""
    github.add_user("large").generate(3000)
    small = github.add_user("small")
    for _ in range(3):
        small.add_gist({"small": "needle"})
    gate = threading.Event()
    github.faults.inject(
        Fault(held=gate), origin="raw", path=lambda request: not request.path.endswith("/small")
    )
    with bench(github, concurrency=16) as ours:
        large = ours.searcher.search(Query("large", "zzzz"))
        assert isinstance(next(large), Begin)
        reader = threading.Thread(target=lambda: next(large))
        reader.start()
        until(lambda: github.traffic["raw"].in_flight == 16)
        answer = ours.search(Query("small", "needle"))
        assert len(answer.matches) == 3
        assert not answer.end.partial
        gate.set()
        reader.join()
        large.close()


def test_two_gists_are_cloned_at_once(github: FakeGithub) -> None:
    """A slow repository leaves a place for another one."""
    user = github.add_user("octocat")
    gists = [user.add_gist({"a": "needle"}, truncated=True) for _ in range(3)]
    gate = threading.Event()
    github.faults.inject(Fault(held=gate), origin="git")
    with bench(github) as ours, closing(ours.searcher.search(NEEDLE)) as events:
        assert isinstance(next(events), Begin)
        until(lambda: github.traffic["git"].in_flight == 2)
        gate.set()
        assert {event.gist.id for event in events if isinstance(event, Match)} == {
            gist.id for gist in gists
        }


def test_concurrent_searches_fetch_each_content_once(github: FakeGithub) -> None:
    """A content that one search is fetching, or has just fetched, is not fetched by another."""
    user = github.add_user("octocat")
    user.generate(150)
    expected = [user.add_gist({"a": "needle"}).html_url]
    github.traffic["raw"].latency_seconds = 0.01
    answers: list[Answer] = []
    with bench(github, cache_url="memory:") as ours:
        threads = [
            threading.Thread(target=lambda: answers.append(ours.search(NEEDLE))) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [answer.matches for answer in answers] == [expected, expected]
    fetched = [request.path.split("/raw/")[1] for request in github.requests_to("raw")]
    assert len(fetched) == len(set(fetched))


def test_too_many_searches_are_refused(github: FakeGithub) -> None:
    """The search beyond the limit is refused before its pattern is compiled.

    When another search has ended, its place can be used.
    """
    github.add_user("octocat").add_gist({"a": "needle"})
    rule = github.faults.inject(HELD, path=is_raw_of("a"))
    with bench(github, max_searches=1) as ours:
        with closing(ours.searcher.search(NEEDLE)) as first:
            next(first)
            with pytest.raises(OverloadedError):
                ours.search(Query("octocat", "(a pattern that does not compile"))
        github.faults.remove(rule)
        assert ours.search(NEEDLE).matches


def test_a_shutdown_ends_searches_with_a_cursor(github: FakeGithub) -> None:
    """Running searches return what they have; new ones are refused."""
    user = github.add_user("octocat")
    for number in range(10):
        user.add_gist({f"f{number}": "needle"})
    github.faults.inject(HELD, path=is_raw_of("f5"))
    with bench(github) as ours:
        stop = threading.Thread(target=ours.searcher.shut_down, args=[0.2])
        answer = Answer([])
        for event in ours.searcher.search(NEEDLE):
            answer.events.append(event)
            if len(answer.matches) == 9 and stop.ident is None:
                stop.start()
        stop.join()
        assert len(answer.matches) == 9
        assert [gap.reason for gap in answer.gaps] == ["shutting_down"]
        assert answer.end.next is not None
        with pytest.raises(OverloadedError):
            ours.search(NEEDLE)


@pytest.mark.parametrize("name", ["compile", "json", "listing-store", "git"])
def test_a_search_survives_a_thread_that_cannot_start(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """At the limit of threads a search is refused or continues later; the next one is complete."""
    gist = github.add_user("octocat").add_gist({"a": "needle"}, truncated=True)
    query = Query("octocat", "(needle)")  # a plain text would be compiled without a thread
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith(f"gistapi-{name}"):
            raise RuntimeError("can't start new thread")
        start(thread)

    with bench(github) as ours:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(OverloadedError, match="no free thread"):
                ours.search(query)
        assert ours.search(query).matches == [gist.html_url]


def test_an_unexpected_error_is_raised(github: FakeGithub) -> None:
    """An error in any task of the search reaches the caller."""
    github.add_user("octocat").add_gist({"a": "needle"})
    with bench(github) as ours:

        async def broken(*_: object) -> bytes:
            raise ZeroDivisionError

        ours.source.read = broken  # type: ignore[method-assign,assignment]
        with pytest.raises(ZeroDivisionError):
            ours.search(NEEDLE)


def test_a_stale_listing_is_reported(github: FakeGithub) -> None:
    """With GitHub down, an older listing is used, and the answer has its age."""
    user = github.add_user("octocat")
    user.add_gist({"a": "needle"})
    with bench(github, cache_url="memory:", token="t", freshness=Freshness(0, 3600)) as ours:
        assert ours.search(NEEDLE).matches
        ours.cache.flush(HANG_SECONDS)
        with github.refusing("api"):
            answer = ours.search(NEEDLE)
        assert answer.matches == user.matching("needle")
        assert [gap.reason for gap in answer.gaps] == ["stale_listing"]
        assert answer.end.next is None
