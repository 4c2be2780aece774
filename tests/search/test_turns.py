"""A search for one gist beside searches of many users: it waits for turns, not for their work.

Threads are held until everything waits for them. What is counted is how many pieces of work begin
before the small search's: at most what the threads had taken, and one piece of each search.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

import pytest

from gistapi.aio.executors import Threads
from gistapi.models import Query
from gistapi.search.targets import AHEAD
from tests.fake_github import FakeGithub
from tests.search.searching import Bench, bench
from tests.waiting import HANG_SECONDS, until

SEARCHES = 3  # their lists may all be in memory at once: bodies.AT_ONCE
USERS = AHEAD
SMALL = "small"
_search: ContextVar[str] = ContextVar("search", default="")

POOLS: dict[str, Callable[[Bench], Threads]] = {
    "listings of the cache": lambda ours: ours.source._listings._reader._storing,
    "parsing of listings": lambda ours: ours.source._client.bodies.threads,
    "contents of the cache": lambda ours: ours.searcher._cache_threads,
}


class Watch:
    """Holds a pool's threads until the gate opens, and lists whose work begins."""

    def __init__(self, threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate = threading.Event()
        self.asked: list[str] = []
        self.begun: list[str] = []
        run = threads.run

        def watched(lane: object, work: Callable[[], object]) -> Awaitable[object]:
            name = _search.get()
            self.asked.append(name)

            def held() -> object:
                assert self.gate.wait(HANG_SECONDS)
                self.begun.append(name)
                return work()

            return run(lane, held)  # type: ignore[arg-type]

        monkeypatch.setattr(threads, "run", watched)


@pytest.mark.parametrize("pool", POOLS)
def test_a_small_search_waits_for_one_turn(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch, pool: str
) -> None:
    """In each pool of threads, whatever the others have begun."""
    big = []
    for number in range(SEARCHES):
        users = tuple(f"user-{number}-{user}" for user in range(USERS))
        for login in users:
            github.add_user(login).add_gist({"a.txt": f"needle {login}"})
        big.append(Query(None, "needle", usernames=users))
    gist = github.add_user("single").add_gist({"a.txt": "needle"})
    small = Query(None, "needle", gists=(gist.id,))
    with bench(github, cache_url="memory:", token="t", max_searches=SEARCHES + 1) as ours:
        if pool != "parsing of listings":
            for query in (*big, small):
                ours.search(query)
        ours.source._listings._reader._recent.clear()
        watch = Watch(POOLS[pool](ours), monkeypatch)
        searches = [threading.Thread(target=_named, args=(ours, "big", query)) for query in big]
        searches.append(threading.Thread(target=_named, args=(ours, SMALL, small)))
        try:
            for search in searches[:-1]:
                search.start()
            until(lambda: len(watch.asked) == SEARCHES * AHEAD)
            searches[-1].start()
            until(lambda: SMALL in watch.asked)
        finally:
            watch.gate.set()
            for search in filter(threading.Thread.is_alive, searches):
                search.join(HANG_SECONDS)
    assert watch.begun.index(SMALL) <= SEARCHES + 4


def _named(ours: Bench, name: str, query: Query) -> None:
    _search.set(name)
    ours.search(query)
