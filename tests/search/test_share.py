"""What searches found shares one bound of memory until it has been sent."""

from __future__ import annotations

import asyncio
import gc
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from gistapi.aio.growing import GrowingBudget
from gistapi.aio.portal import Outbox
from gistapi.errors import PatternTimeoutError
from gistapi.matching import Matching, Wanted, compile_pattern
from gistapi.models import Flags, Hit, Hits, Match, Query
from gistapi.search import share as module
from gistapi.search.sender import Sender
from gistapi.search.share import FREE_BYTES, AnswerShare
from gistapi.search.sizes import hits_bytes, most_bytes
from gistapi.search.stop import Stop
from tests.aio.looping import run
from tests.fake_github import FakeGithub
from tests.search.searching import Bench, bench
from tests.search.test_reorder import gist_of
from tests.waiting import HANG_SECONDS, until

MIB = 2**20
ALL = Query("octocat", "needle", details=True, max_count=1000)


def test_few_matches_never_wait() -> None:
    """A search has FREE_BYTES however much the others hold."""

    async def main() -> None:
        budget = GrowingBudget(10 * MIB, 10 * MIB)
        greedy, modest = AnswerShare(budget), AnswerShare(budget)
        async with greedy.room(FREE_BYTES + 10 * MIB):
            async with modest.room(FREE_BYTES):
                pass
            async with modest.room(0) as room:
                assert modest.try_keep(room, 1, FREE_BYTES)
                assert not modest.try_keep(room, 2, 1)

    run(main())


def test_what_is_not_found_is_given_back() -> None:
    """A gist gives back what it held before it was decided, and a search at its end everything."""

    async def main() -> None:
        budget = GrowingBudget(10 * MIB, 10 * MIB)
        share = AnswerShare(budget)
        async with share.room(5 * MIB) as room:
            assert share.try_keep(room, 1, 4 * MIB)
            assert budget.held_bytes(share) == 5 * MIB - FREE_BYTES
        assert budget.held_bytes(share) == 4 * MIB - FREE_BYTES
        share.keep(1, 3 * MIB)
        async with share.room(0):
            pass
        assert budget.held_bytes(share) == 3 * MIB - FREE_BYTES
        share.release()
        assert budget.held_bytes(share) == 0

    run(main())


def test_a_search_that_found_too_much_in_open_gists_stops() -> None:
    """The search waits for other gists in progress; a gist that is alone continues."""

    async def main() -> None:
        share = AnswerShare(GrowingBudget(10 * MIB, 10 * MIB))
        async with share.room(6 * MIB):
            beside = asyncio.create_task(_have(share, 6 * MIB))
            await asyncio.sleep(0)
            assert not beside.done()
        await beside
        share.keep(1, 6 * MIB)
        with pytest.raises(Stop, match="maximum number of matches"):
            await _have(share, 6 * MIB)
        share.is_alone = True
        await _have(share, 6 * MIB)

    run(main())


async def _have(share: AnswerShare, size: int) -> None:
    async with share.room(size):
        pass


def _add_gists(github: FakeGithub, count: int, *, matches: int) -> None:
    user = github.add_user("octocat")
    for number in range(count):
        user.add_gist({"a": f"{number} needle\n" * matches})


@contextmanager
def _tight(github: FakeGithub, monkeypatch: pytest.MonkeyPatch, cache_url: str) -> Iterator[Bench]:
    """Yield searches that all find 5,400 matches, of which one fits into memory at a time."""
    _add_gists(github, 6, matches=900)
    monkeypatch.setattr(module, "FREE_BYTES", 2**16)
    with bench(github, cache_url=cache_url) as ours:
        ours.searcher._answers = GrowingBudget(5 * MIB, 5 * MIB)
        yield ours


def _take_turns(ours: Bench) -> None:
    first = ours.searcher.search(ALL)
    assert sum(isinstance(event, Match) for event in first) == 6
    second = _reading(ours)
    assert next(second) == "waits"
    first.close()
    assert next(second) == 6


def test_searches_that_find_much_take_turns(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one answer is not sent, another that needs as much waits, and then has all matches."""
    with _tight(github, monkeypatch, "memory:") as ours:
        _take_turns(ours)


def test_a_file_whose_matches_find_no_room_is_read_once(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no cache has it either: it is kept until they do."""
    with _tight(github, monkeypatch, "off") as ours:
        _take_turns(ours)
        assert not ours.searcher._shared.aside
    assert len(github.requests_to("raw")) == 12


def test_sixty_four_searches_that_find_much_are_all_answered(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, from the cache and from GitHub, in the memory of a few of them; each finds all."""
    _add_gists(github, 3, matches=600)
    monkeypatch.setattr(module, "FREE_BYTES", 2**16)
    found: dict[AnswerShare, int] = {}
    most = 0
    keep, release = AnswerShare.keep, AnswerShare.release

    def keeping(share: AnswerShare, number: int, size_bytes: int) -> None:
        nonlocal most
        keep(share, number, size_bytes)
        found[share] = share._found_bytes
        most = max(most, sum(found.values()))

    def releasing(share: AnswerShare) -> None:
        found.pop(share, None)
        release(share)

    monkeypatch.setattr(AnswerShare, "keep", keeping)
    monkeypatch.setattr(AnswerShare, "release", releasing)
    with (
        bench(github, cache_url="memory:", max_searches=64, deadline_seconds=600) as ours,
        ThreadPoolExecutor(64) as pool,
    ):
        ours.searcher._answers = GrowingBudget(5 * MIB, 3 * MIB)
        answers = list(pool.map(ours.search, [ALL] * 64))
    assert [len(answer.matches) for answer in answers] == [3] * 64
    assert not any(answer.gaps for answer in answers)
    assert 2 * MIB < most <= 5 * MIB + 64 * 2**16


def test_streams_to_slow_readers_go_on_side_by_side(github: FakeGithub) -> None:
    """Each has a first match before any reader takes a second; all together would not fit."""
    _add_gists(github, 10, matches=900)
    readers = 8
    all_have_one = threading.Barrier(readers, timeout=HANG_SECONDS)

    def read(ours: Bench) -> int:
        matches = 0
        with closing(ours.searcher.search(ALL, kept=False)) as events:
            for event in events:
                matches += isinstance(event, Match)
                if matches == 1 and isinstance(event, Match):
                    all_have_one.wait()
        return matches

    with (
        bench(github, cache_url="memory:", max_searches=readers, deadline_seconds=600) as ours,
        ThreadPoolExecutor(readers) as pool,
    ):
        ours.search(ALL)  # from now on the cache has them
        ours.searcher._answers = GrowingBudget(20 * MIB, 6 * MIB)
        assert list(pool.map(read, [ours] * readers)) == [10] * readers


def test_what_a_stream_has_sent_is_in_memory_no_more(github: FakeGithub) -> None:
    """Not even while the search goes on in the same batch of gists; its end is in memory alone."""
    _add_gists(github, 10, matches=900)
    in_memory: list[int] = []
    with bench(github, cache_url="memory:") as ours:
        ours.search(ALL)
        gc.collect()
        with closing(ours.searcher.search(ALL, kept=False)) as events:
            for event in events:
                if isinstance(event, Match):
                    in_memory.append(sum(isinstance(thing, Hit) for thing in gc.get_objects()))
                del event
    assert len(in_memory) == 10
    assert max(in_memory) < 10 * 900
    assert in_memory[-1] == 900


def test_a_stream_stays_close_to_its_reader() -> None:
    """A stream waits once AHEAD_BYTES are unread, or any bytes while others wait for memory."""

    async def main() -> None:
        budget = GrowingBudget(10 * MIB, 10 * MIB)
        stream, other = AnswerShare(budget, kept=False), AnswerShare(budget)
        sender = Sender(Outbox(asyncio.get_running_loop()), stream)
        for number in (1, 2, 3):
            async with stream.room(MIB) as room:
                assert stream.try_keep(room, number, MIB)
                assert number > 1 or not stream.try_keep(room, 9, 1)
            if number < 3:
                sender.send(Match(gist_of(number, 0), (), number))
            if number == 2:
                waiting = asyncio.create_task(_have(stream, 0))
                await asyncio.sleep(0)
                assert not waiting.done()
                stream.forget(1)
                await waiting
        wanting = asyncio.create_task(_have(other, 10 * MIB))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(_have(stream, 0))
        await asyncio.sleep(0)
        assert not waiting.done()
        stream.forget(2)  # what is found but not sent is not waited for
        await waiting
        stream.release()
        await wanting

    run(main())


@pytest.mark.parametrize("kept", [False, True])
def test_a_match_that_was_sent_is_given_back(github: FakeGithub, *, kept: bool) -> None:
    """As a stream is read; another answer gives all of it back when it is closed."""
    user = github.add_user("octocat")
    for number in range(6):
        user.add_gist({"a": f"{number} needle\n" * 900})
    with bench(github, cache_url="memory:") as ours:
        events = ours.searcher.search(ALL, kept=kept)
        assert len([event for event in events if isinstance(event, Match)]) == 6
        ours.service.portal.call(asyncio.sleep(0))
        assert bool(ours.searcher._answers._held) == kept
        events.close()
        ours.service.portal.call(asyncio.sleep(0))
        assert not ours.searcher._answers._held


def _reading(ours: Bench) -> Iterator[int | str]:
    """Search in a thread: first that it waits, then how many gists it found."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ours.search, ALL)
        until(lambda: bool(ours.searcher._answers._waiters))
        yield "waits"
        yield len(answer.result().matches)


@pytest.mark.parametrize("context", [0, 10])
@pytest.mark.parametrize(
    "text",
    ["ab\n" * 900, "\U0001f600ab" * 900, "\U0001f600ab\n" * 300, "ab", ""],
    ids=["lines", "one line", "wide lines", "short", "empty"],
)
def test_what_matches_take_is_counted(text: str, context: int) -> None:
    """What is counted is no less than what they take, and no more than was expected."""
    content = text.encode()
    wanted = Wanted(max_count=1000, context=context)
    matching = Matching()
    matcher = matching.matcher(compile_pattern("a|$", Flags()), wanted)

    async def found() -> Hits | PatternTimeoutError | None:
        return await matcher.search(content)

    run(found(), jumping=False)
    tracemalloc.start()
    try:
        hits = run(found(), jumping=False)
        places = [tracemalloc.Filter(inclusive=True, filename_pattern="*/gistapi/matching/*")]
        taken = tracemalloc.take_snapshot().filter_traces(places)
    finally:
        tracemalloc.stop()
    assert isinstance(hits, Hits)
    counted = hits_bytes(hits.hits)
    assert sum(trace.size for trace in taken.traces) <= counted + 4096
    assert counted <= most_bytes(len(content), 1000, context) <= most_bytes(None, 1000, context)
