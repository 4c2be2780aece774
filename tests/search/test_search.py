"""The use case, from GitHub's wire to the events."""

from __future__ import annotations

import random
import threading
from contextlib import closing
from datetime import timedelta

import pytest

from gistapi.errors import (
    GithubError,
    GithubRateLimitedError,
    GithubTimeoutError,
    InvalidCursorError,
    InvalidPatternError,
    OverloadedError,
    UserNotFoundError,
)
from gistapi.events import SearchEnded
from gistapi.github import Freshness
from gistapi.models import Begin, End, Flags, Match, Progress, Query, SearchEvent
from tests.fake_github import FakeGithub, Fault, Repeated, Response
from tests.fake_github.message import Request, text
from tests.search.searching import Answer, bench
from tests.waiting import HANG_SECONDS, until

NEEDLE = Query("octocat", "needle")
HELD = Fault(held=threading.Event())
"""An answer that never comes."""


def is_raw_of(name: str) -> str:
    """The end of a raw address of that file."""
    return f"/{name}"


def refuse_other_ways(github: FakeGithub) -> None:
    """Leave the raw host as the only way to a content."""
    broken = Fault(answer=Response(500))
    github.faults.inject(broken, path=lambda asked: asked.target.startswith("/gists/"))
    github.faults.inject(broken, origin="git")


@pytest.mark.parametrize("cache_url", ["off", "memory:"])
def test_the_answer_is_the_true_one(github: FakeGithub, cache_url: str) -> None:
    """Every gist that matches, once, in GitHub's order; a search later, too."""
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
    """No gists, and gists without files, match nothing."""
    github.add_user("octocat")
    github.add_user("hubot").add_gist({})
    with bench(github) as ours:
        for name in ("octocat", "hubot"):
            answer = ours.search(Query(name, "x"))
            assert not answer.matches
            assert not answer.end.partial


def test_a_match_says_where(github: FakeGithub) -> None:
    """The gist as listed, the file, line and column."""
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


def test_filters_leave_files_unread(github: FakeGithub) -> None:
    """What a query does not ask for is never fetched."""
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


def test_a_gist_hidden_by_a_deletion_is_found(github: FakeGithub) -> None:
    """One deleted while its list is paged hides its neighbour; a second look shows it."""
    user = github.add_user("octocat")
    for number in range(150):
        user.add_gist({"a": "needle" if number in {48, 49, 50} else "hay"})

    def delete(request: Request) -> None:
        if "page=2" in request.target and len(user.gists) == 150:
            user.gists[120].delete()

    github.on_request(delete)
    expected = user.matching("needle")
    with bench(github) as ours:
        answer = ours.search(NEEDLE)
    assert answer.matches == expected


def test_limit_stops_and_the_cursor_goes_on(github: FakeGithub) -> None:
    """Answers of one match each add up to the whole, in order, with an end."""
    user = github.add_user("octocat")
    for number in range(120):
        user.add_gist({"a": "needle" if number % 40 == 0 else "hay"})
    with bench(github) as ours:
        answers = list(ours.follow(Query("octocat", "needle", limit=1)))
    assert [answer.matches for answer in answers if answer.matches] == [
        [url] for url in user.matching("needle")
    ]
    assert not any(answer.end.partial for answer in answers)


def test_nothing_is_asked_for_a_query_that_makes_no_sense(github: FakeGithub) -> None:
    """Pattern and cursor are checked before GitHub hears of the search."""
    with bench(github) as ours:
        with pytest.raises(InvalidPatternError) as refused:
            ours.search(Query("octocat", "a("))
        assert refused.value.position == 1
        with pytest.raises(InvalidCursorError):
            ours.search(Query("octocat", "a", cursor="x"))
    assert not github.requests


def test_an_unknown_user_is_an_error(github: FakeGithub) -> None:
    """GitHub's 404 rises before Begin, and is observed."""
    with bench(github) as ours:
        with pytest.raises(UserNotFoundError):
            ours.search(NEEDLE)
        (ended,) = [event for event in ours.seen if isinstance(event, SearchEnded)]
    assert ended.outcome == "UserNotFoundError"


def test_a_file_that_fails_is_a_gap_and_a_match_beside_it_counts(github: FakeGithub) -> None:
    """After the retries the file is named; a gist that matched is in no gap."""
    user = github.add_user("octocat")
    matching = user.add_gist({"bad": "x", "good": "needle"})
    failing = user.add_gist({"bad": "y", "other": "hay"})
    user.add_gist({"fine": "hay"})
    github.faults.inject(Fault(answer=Response(500)), path=is_raw_of("bad"))
    refuse_other_ways(github)
    with bench(github) as ours:
        answer = ours.search(NEEDLE)
    assert answer.matches == [matching.html_url]
    assert [(gap.gist, gap.file, gap.reason) for gap in answer.gaps] == [
        (failing.html_url, "bad", "file_unavailable")
    ]
    assert answer.end.partial
    assert answer.end.next is None


def test_a_file_or_gist_that_is_gone_is_no_gap(github: FakeGithub) -> None:
    """404 since the listing is an answer, not a failure."""
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
    """What is decided is sent; the cursor goes on later and finds the rest."""
    user = github.add_user("octocat")
    for number in range(100):
        user.add_gist({f"f{number}": "needle"})
    limited = Fault(answer=text(429, "too many", retry_after="120"))
    rule = github.faults.inject(limited, path=is_raw_of("f50"))
    refuse_other_ways(github)
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
    """All that was listed is searched and sent; the rest is for later."""
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


def test_a_github_that_fails_from_the_start_is_an_error(github: FakeGithub) -> None:
    """Nothing could be searched: no answer, but GitHub's failure."""
    github.add_user("octocat").add_gist({"a": "needle"})
    rule = github.faults.inject(Fault(answer=Response(500)), origin="api")
    with bench(github) as ours, pytest.raises(GithubError, match="500"):
        ours.search(NEEDLE)
    github.faults.remove(rule)
    github.faults.inject(Fault(hang=True, cut_head_at=0), origin="api")
    with bench(github, deadline_seconds=0.5) as ours, pytest.raises(GithubTimeoutError):
        ours.search(NEEDLE)


def test_a_deadline_returns_what_was_found_and_a_cursor(github: FakeGithub) -> None:
    """Every match but that of the gist that hangs, which the cursor owes."""
    user = github.add_user("octocat")
    for number in range(30):
        user.add_gist({f"f{number}": "needle"})
    rule = github.faults.inject(HELD, path=is_raw_of("f20"))
    with bench(github) as ours:
        answer = ours.search(NEEDLE, expires=lambda sent: len(sent.matches) == 29)
        assert [(gap.gist, gap.reason) for gap in answer.gaps] == [(None, "deadline")]
        github.faults.remove(rule)
        rest = ours.search(Query("octocat", "needle", cursor=answer.end.next))
    assert rest.matches == [user.gists[20].html_url]
    assert sorted(answer.matches + rest.matches) == sorted(user.matching("needle"))
    assert not rest.end.partial


def test_a_gist_slower_than_the_deadline_is_passed(github: FakeGithub) -> None:
    """It becomes a gap, the search gets to its end, and every other match is sent once."""
    user = github.add_user("octocat")
    for number in range(10):
        user.add_gist({f"f{number}": "needle"})
    github.faults.inject(HELD, path=is_raw_of("f5"))

    def all_but_one(sent: Answer) -> bool:
        last = sent.events[-1]
        return isinstance(last, Progress) and last.gists_done == len(user.gists) - 1

    with bench(github) as ours:
        answers = list(ours.follow(NEEDLE, expires=all_but_one))
    sent = [url for answer in answers for url in answer.matches]
    slow = user.gists[5].html_url
    assert sorted(sent) == sorted(set(user.matching("needle")) - {slow})
    assert [gap for answer in answers for gap in answer.gaps if gap.gist == slow]
    assert len(answers) <= 5


def test_a_match_calls_off_the_rest_of_its_gist(github: FakeGithub) -> None:
    """A file that hangs beside one that matches keeps nobody waiting."""
    user = github.add_user("octocat")
    user.add_gist({"a": "needle", "slow": "x"})
    github.faults.inject(HELD, path=is_raw_of("slow"))
    with bench(github) as ours:
        answer = ours.search(NEEDLE)
    assert answer.matches == user.matching("needle")
    assert not answer.end.partial
    github.wait_quiet(HANG_SECONDS)


def test_leaving_a_search_stops_its_requests(github: FakeGithub) -> None:
    """Once the events are closed, GitHub is asked nothing more."""
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
        # one that comes after would wait behind what the first had still to ask
        assert ours.search(Query("hubot", "needle")).matches
        assert len(github.requests_to("raw")) == 1 + 4 + 1
        ended, _ = [event for event in ours.seen if isinstance(event, SearchEnded)]
    assert ended.outcome == "cancelled"


def test_progress_comes_each_second(github: FakeGithub) -> None:
    """A search that waits says how far it is."""
    user = github.add_user("octocat")
    user.add_gist({"slow": "x"})
    user.add_gist({"a": "x"})
    gate = threading.Event()
    github.faults.inject(Fault(held=gate), path=is_raw_of("slow"))
    expected = Progress(gists_done=1, gists_total=2, files_done=1, bytes_done=1)
    sent: list[SearchEvent] = []
    with bench(github) as ours:
        for event in ours.searcher.search(NEEDLE):
            sent.append(event)
            if sent.count(expected) == 2:
                gate.set()
    assert sent.count(expected) >= 2
    assert isinstance(sent[-1], End)
    assert not sent[-1].partial


def test_a_small_search_does_not_wait_for_a_large_one(github: FakeGithub) -> None:
    """Three gists beside three thousand: done while the large search has every place it may."""
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


def test_two_gists_are_cloned_at_a_time(github: FakeGithub) -> None:
    """A repository that is slow to come leaves a turn to another one."""
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


def test_two_searches_at_once_fetch_each_content_once(github: FakeGithub) -> None:
    """What one search is fetching, or just has, another does not fetch."""
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
    """The search beyond the limit is refused at once, before its pattern is compiled.

    A place that is free again is given.
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
    """Running searches answer what they have; new ones are refused."""
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


@pytest.mark.parametrize("name", ["compile", "listing-parse", "listing-store", "git"])
def test_a_thread_that_cannot_start_is_no_fault_of_ours(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """At the limit of processes a search is refused or goes on later; the next one is whole."""
    gist = github.add_user("octocat").add_gist({"a": "needle"}, truncated=True)
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith(f"gistapi-{name}"):
            raise RuntimeError("can't start new thread")
        start(thread)

    with bench(github) as ours:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(OverloadedError, match="no free thread"):
                ours.search(NEEDLE)
        assert ours.search(NEEDLE).matches == [gist.html_url]


def test_a_fault_of_ours_is_raised_not_swallowed(github: FakeGithub) -> None:
    """An unforeseen error in a task reaches the caller."""
    github.add_user("octocat").add_gist({"a": "needle"})
    with bench(github) as ours:

        async def broken(*_: object) -> bytes:
            raise ZeroDivisionError

        ours.source.read = broken  # type: ignore[method-assign,assignment]
        with pytest.raises(ZeroDivisionError):
            ours.search(NEEDLE)


def test_a_listing_that_is_trusted_too_long_is_reported(github: FakeGithub) -> None:
    """With GitHub down, an older listing answers, and says how old it is."""
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


def test_large_files_stop_early(github: FakeGithub) -> None:
    """A needle at the start of a large file is found without reading on."""
    user = github.add_user("octocat")
    user.add_gist(
        {"big": Repeated(random.Random(1).randbytes(65536), 20_000_000, {1000: b"needle"})}
    )
    with bench(github) as ours:
        assert ours.search(NEEDLE).matches == [user.gists[0].html_url]
    (request,) = github.requests_to("raw")
    github.wait_quiet(HANG_SECONDS)
    assert request.aborted
