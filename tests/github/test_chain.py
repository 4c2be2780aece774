"""Paging through lists that change meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gistapi.aio.limiter import FairLimiter
from gistapi.errors import GithubError
from gistapi.github.chain import AHEAD_IN_ALL, AT_ONCE, Chain, Fetch, SmallerPageError
from gistapi.github.listing_codec import StoredPage
from gistapi.github.paging import FIRST, SIZES, Numbers
from tests.aio.looping import run
from tests.github.shifting import FIRST_URL, ShiftingList


def chain(fetch: Fetch, places: FairLimiter | None = None) -> Chain:
    """A chain with places of its own to read ahead, unless it shares some."""
    return Chain(fetch, (places or FairLimiter(AHEAD_IN_ALL)).lane())


async def read(shifting: ShiftingList) -> list[str]:
    """Read all entries, each once, in the order in which they arrive."""
    first = await shifting.fetch(FIRST_URL, FIRST)
    found: dict[str, None] = {}
    async with aclosing(chain(shifting.fetch).pages(first)) as pages:
        async for page in pages:
            found |= dict.fromkeys(page.ids)
    return list(found)


@pytest.mark.parametrize(
    ("size", "requests"),
    [(0, 1), (1, 1), (100, 1), (101, 2), (198, 2), (199, 3), (250, 3), (1000, 11), (10_000, 114)],
)
@pytest.mark.parametrize("link_last", [True, False])
def test_an_unchanged_list_is_read_in_order(size: int, requests: int, *, link_last: bool) -> None:
    """Overlapping pages cost at most a tenth more requests."""
    shifting = ShiftingList(size)
    shifting.link_last = link_last
    assert run(read(shifting)) == [f"old{number}" for number in range(size)]
    assert len(shifting.requests) == requests


changes = st.lists(
    st.tuples(
        st.sampled_from(["add", "delete", "delete first"]),
        st.integers(0, 3000),
        st.integers(1, 40) | st.integers(1, 250),
    ),
    max_size=12,
)
scripts = st.lists(changes, max_size=12)
sizes = st.integers(0, 700) | st.integers(0, 4000)


class Script:
    """The changes of a list, one step before each answer, and their number."""

    def __init__(self, steps: list[list[tuple[str, int, int]]]) -> None:
        self.added = self.deletions = 0
        self._steps = iter(steps)

    def __call__(self, shifting: ShiftingList) -> None:
        for what, place, count in next(self._steps, []):
            if what == "add":
                self.added += count
                shifting.add(count)
                continue
            self.deletions += 1
            for _ in range(count):
                shifting.delete(place if what == "delete" else 0)


@settings(max_examples=200, deadline=None)
@given(sizes, scripts, st.lists(st.floats(0, 3), max_size=20), st.booleans())
def test_every_lasting_entry_is_read(
    size: int,
    steps: list[list[tuple[str, int, int]]],
    seconds: list[float],
    link_last: bool,  # noqa: FBT001 - drawn
) -> None:
    """Additions and deletions anywhere in the list, between any answers, hide no other entry.

    Additions cost no request beyond the pages that they fill; a deletion costs a few.
    """
    shifting = ShiftingList(size)
    shifting.link_last = link_last
    shifting.seconds = iter(seconds)
    shifting.before_answer = script = Script(steps)
    found = run(read(shifting))
    assert shifting.throughout <= set(found)
    quiet = 2 + (size + script.added) // 75
    assert len(shifting.requests) <= quiet + AT_ONCE + 4 * script.deletions


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 1000),
    st.lists(scripts, min_size=2, max_size=3),
    st.lists(st.booleans(), max_size=60),
)
def test_pages_of_different_ages_make_one_list(
    size: int, searches: list[list[list[tuple[str, int, int]]]], trusted: list[bool]
) -> None:
    """Pages stored by earlier searches hide nothing either."""
    shifting = ShiftingList(size)
    shifting.trusted = iter(trusted)
    for steps in searches:
        shifting.before_answer = Script(steps)
        assert shifting.throughout <= set(run(read(shifting)))


def test_pages_of_known_entries_do_not_end_a_list() -> None:
    """Additions push known entries onto the pages that are read next."""
    shifting = ShiftingList(295)
    growth = iter([0, 0, 0, 94, 182])
    shifting.before_answer = lambda shifting: shifting.add(next(growth, 0))
    assert shifting.throughout <= set(run(read(shifting)))


def test_a_list_that_keeps_shrinking_is_an_error() -> None:
    """It is not reported as complete, and reading it ends."""
    shifting = ShiftingList(100_000)

    def shrink(shifting: ShiftingList) -> None:
        del shifting.entries[:300]

    shifting.before_answer = shrink
    with pytest.raises(GithubError, match="faster"):
        run(read(shifting))
    assert len(shifting.requests) < 300


@pytest.mark.parametrize("too_large", [5, 25, 60])
def test_pages_that_are_too_large_are_split(too_large: int) -> None:
    """This also applies to later pages; nothing is read twice."""
    shifting = ShiftingList(400)
    answer = shifting.fetch

    async def fetch(url: str, numbers: Numbers | None, *, again: bool = False) -> StoredPage:
        page = await answer(url, numbers, again=again)
        can_shrink = numbers is not None and numbers.per_page > SIZES[-1]
        if can_shrink and "old300" in page.ids and len(page.ids) > too_large:
            raise SmallerPageError("too large")
        return page

    shifting.fetch = fetch  # type: ignore[method-assign]
    assert run(read(shifting)) == [f"old{number}" for number in range(400)]


def test_closing_the_reader_cancels_prefetching() -> None:
    """Pending requests are cancelled with the generator."""
    shifting = ShiftingList(1000)
    shifting.seconds = iter([0.0, 0.0, *[3600.0] * 10])

    async def read_two() -> None:
        first = await shifting.fetch(FIRST_URL, FIRST)
        async with aclosing(chain(shifting.fetch).pages(first)) as pages:
            await anext(pages)
            await anext(pages)
            assert len(shifting.requests) == 1 + AT_ONCE
        assert len(asyncio.all_tasks()) == 1

    run(read_two())
    assert len(shifting.stored) == 2


def test_lists_read_ahead_as_far_as_all_of_them_may_and_each_to_its_end() -> None:
    """Twenty lists at once: each has its next page, and the others share what there is."""
    places = FairLimiter(5)
    lists = [ShiftingList(1000) for _ in range(20)]

    async def read_two(shifting: ShiftingList) -> None:
        first = await shifting.fetch(FIRST_URL, FIRST)
        async with aclosing(chain(shifting.fetch, places).pages(first)) as pages:
            await anext(pages)
            await anext(pages)
            begun.release()
            await everybody.wait()
            rest = [page.ids async for page in pages]
            assert rest[-1][-1] == shifting.entries[-1]

    async def read_all() -> None:
        async with asyncio.TaskGroup() as group:
            for shifting in lists:
                group.create_task(read_two(shifting))
            for _ in lists:
                await begun.acquire()
            assert sum(len(shifting.requests) for shifting in lists) == 2 * len(lists) + 5
            everybody.set()
        assert places.held == 0

    begun, everybody = asyncio.Semaphore(0), asyncio.Event()
    run(read_all())


def test_an_error_of_a_prefetched_page_is_raised_in_order() -> None:
    """The pages before it are read first."""
    shifting = ShiftingList(1000)
    answer = shifting.fetch

    async def fetch(url: str, numbers: Numbers | None, *, again: bool = False) -> StoredPage:
        if "&page=3" in url:
            raise GithubError("no")
        return await answer(url, numbers, again=again)

    async def read_three() -> None:
        async with aclosing(chain(fetch).pages(await answer(FIRST_URL, FIRST))) as pages:
            await anext(pages)
            await anext(pages)
            with pytest.raises(GithubError, match="no"):
                await anext(pages)

    run(read_three())
