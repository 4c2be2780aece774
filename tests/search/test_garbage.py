"""What a search used is free when it ends, and not when the garbage collector looks for it.

A full collection lets no other thread run: 300 searches a second that were given up left 30,000
objects to it, which took 50 ms.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator

import pytest

from gistapi.aio.portal import Outbox
from gistapi.errors import GistapiError
from gistapi.models import Query
from gistapi.search.session import Session
from gistapi.web.problems import problem_of
from tests.fake_github import FakeGithub, Fault
from tests.search.searching import Bench, bench
from tests.waiting import until

IsThere = Callable[[], bool]


@pytest.fixture(name="is_there")
def _is_there() -> Iterator[IsThere]:
    """Whether there are parts of a search, except those that other tests have left."""

    def parts() -> list[object]:
        return [known for known in gc.get_objects() if isinstance(known, Session | Outbox)]

    gc.collect()
    gc.disable()
    before = parts()
    yield lambda: len(parts()) > len(before)
    gc.enable()


def _search(ours: Bench, query: Query) -> None:
    """Search as a request does, whose error is answered."""
    try:
        ours.search(query)
    except GistapiError as error:
        problem_of(error, "")


@pytest.mark.parametrize(
    "query",
    [
        Query("octocat", "needle"),
        Query("octocat", "(a|b)*c", max_count=3),
        Query("octocat", "("),
        Query("nobody", "needle"),
        Query(None, "needle", usernames=("octocat", "nobody")),
        Query("octocat", "needle", cursor="none"),
    ],
    ids=["matches", "none", "no pattern", "no user", "one user", "no cursor"],
)
def test_a_search_that_has_ended_is_forgotten(
    github: FakeGithub, is_there: IsThere, query: Query
) -> None:
    """With or without an error."""
    user = github.add_user("octocat")
    for number in range(3):
        user.add_gist({"a": "needle", "b": f"hay {number}"})
    with bench(github, cache_url="memory:") as ours:
        _search(ours, query)
        until(lambda: not is_there())


def test_a_search_that_was_given_up_is_forgotten(github: FakeGithub, is_there: IsThere) -> None:
    """While GitHub is silent, too."""
    github.add_user("octocat").add_gist({"a": "needle"})
    gate = threading.Event()
    github.faults.inject(Fault(held=gate), origin="raw")
    with bench(github) as ours:
        events = ours.searcher.search(Query("octocat", "needle"))
        next(events)
        until(lambda: github.traffic["raw"].in_flight == 1)
        assert is_there()
        events.close()
        del events
        until(lambda: not is_there())
        gate.set()
