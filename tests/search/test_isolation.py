"""A cached search is not delayed while any executor or limiter is flooded.

An event holds each flood until the cached search has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from gistapi.errors import GithubTimeoutError
from gistapi.models import Query
from tests.fake_github import FakeGithub, Fault
from tests.fake_github.message import text
from tests.search.searching import Answer, Bench, bench
from tests.waiting import HANG_SECONDS, until

CACHED = Query("cached", "needle")
SLOW = [Query(f"slow{number}", "needle") for number in range(12)]


@contextmanager
def beside(ours: Bench, queries: list[Query]) -> Iterator[None]:
    """Run searches in threads until the context ends."""

    def search(query: Query) -> None:
        with suppress(GithubTimeoutError):  # it may end before it has a listing
            ours.search(query)

    threads = [threading.Thread(target=search, args=[query]) for query in queries]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ours.expire()
        for thread in threads:
            thread.join(HANG_SECONDS)


@pytest.fixture
def hub(github: FakeGithub) -> FakeGithub:
    """Return a GitHub with a user who will be cached, and twelve whose files are slow."""
    cached = github.add_user("cached")
    for number in range(120):
        cached.add_gist({"a.txt": f"needle {number}"})
    for query in SLOW:
        user = github.add_user(str(query.username))
        for number in range(30):
            user.add_gist({"slow.txt": f"needle {query.username} {number}"})
    return github


def occupy(executor: object, gate: threading.Event, count: int = 64) -> None:
    """Make every thread of an executor wait for the gate, with more work queued."""
    for _ in range(count):
        executor.submit(gate.wait, HANG_SECONDS)  # type: ignore[attr-defined]


def test_slow_downloads_delay_no_cached_search(hub: FakeGithub) -> None:
    """Twelve searches hold every place for requests."""
    with bench(hub, cache_url="memory:", max_searches=16) as ours:
        assert len(ours.search(CACHED).matches) == 120
        gate = threading.Event()
        rule = hub.faults.inject(Fault(held=gate), path="/slow.txt")
        with beside(ours, SLOW):
            until(lambda: hub.traffic["raw"].in_flight >= 16)
            assert len(ours.search(CACHED).matches) == 120
            hub.faults.remove(rule)
            gate.set()


def test_waits_for_githubs_limit_delay_no_cached_search(hub: FakeGithub) -> None:
    """Twelve searches wait for `Retry-After`, and hold neither a thread nor a place."""
    with bench(hub, cache_url="memory:", max_searches=16) as ours:
        assert len(ours.search(CACHED).matches) == 120
        asked = len(hub.requests_to("raw"))
        limited = Fault(answer=text(429, "wait", retry_after="50"))
        hub.faults.inject(limited, path="/slow.txt")
        with beside(ours, SLOW):
            until(lambda: len(hub.requests_to("raw")) > asked)
            assert len(ours.search(CACHED).matches) == 120


EXECUTORS: dict[str, Callable[[Bench], object]] = {
    "matching": lambda ours: ours.service.matching._threads._executor,
    "git": lambda ours: ours.source._clones._executor,
    "parsing of listings": lambda ours: ours.source._client.bodies.threads._executor,
}


@pytest.mark.parametrize("name", EXECUTORS)
def test_a_flooded_executor_delays_no_cached_search(hub: FakeGithub, name: str) -> None:
    """A cached search of small files does not need it."""
    with bench(hub, cache_url="memory:") as ours:
        assert len(ours.search(CACHED).matches) == 120
        gate = threading.Event()
        occupy(EXECUTORS[name](ours), gate)
        try:
            answer: Answer = ours.search(CACHED)
            assert len(answer.matches) == 120
            assert not answer.gaps
        finally:
            gate.set()


def test_contents_that_others_hold_delay_no_small_search(hub: FakeGithub) -> None:
    """Megabytes of others, which slow patterns search for long, take all their memory."""
    with bench(hub, cache_url="memory:") as ours:
        assert len(ours.search(CACHED).matches) == 120
        budget, portal = ours.searcher._shared.budget, ours.service.portal
        held = budget.lane("other").place(budget.total)
        portal.call(held.take())
        try:
            assert len(ours.search(CACHED).matches) == 120
        finally:
            portal.soon(held.give_back)


def test_busy_workers_delay_no_cached_search(hub: FakeGithub) -> None:
    """Endless patterns for Python's `re` keep every worker busy."""
    bomb = hub.add_user("bomb")
    for number in range(20):
        bomb.add_gist({"a.txt": "a" * 40 + f"{number}"})
    with bench(hub, cache_url="memory:", pattern_timeout_seconds=HANG_SECONDS) as ours:
        assert len(ours.search(CACHED).matches) == 120
        with beside(ours, [Query("bomb", r"(a|a)*(\1)[bc]")] * 3):
            until(lambda: len(ours.service.matching.workers.pids) == 2)
            assert len(ours.search(CACHED).matches) == 120
