"""Lists that change while they are paged."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gistapi.errors import GithubError
from gistapi.github.chain import AT_ONCE, IDLE_PAGES, Chain, SmallerPageError
from gistapi.github.listing_codec import StoredPage
from gistapi.github.paging import FIRST, Numbers
from tests.aio.looping import run
from tests.github.shifting import FIRST_URL, ShiftingList


async def read(shifting: ShiftingList) -> list[str]:
    """All entries, in the order in which they came, each once."""
    first = await shifting.fetch(FIRST_URL, FIRST)
    found: dict[str, None] = {}
    async with aclosing(Chain(shifting.fetch).pages(first)) as pages:
        async for page in pages:
            found |= dict.fromkeys(page.ids)
    return list(found)


@pytest.mark.parametrize(
    ("size", "requests"),
    [(0, 1), (1, 1), (100, 1), (101, 2), (198, 2), (199, 3), (250, 3), (1000, 11), (10_000, 114)],
)
@pytest.mark.parametrize("link_last", [True, False])
def test_a_list_that_holds_still(size: int, requests: int, *, link_last: bool) -> None:
    """Every entry is read, in order, by a tenth more requests than without overlap at most."""
    shifting = ShiftingList(size)
    shifting.link_last = link_last
    assert run(read(shifting)) == [f"old{number}" for number in range(size)]
    assert len(shifting.requests) == requests


changes = st.lists(
    st.tuples(
        st.sampled_from(["add", "delete", "delete first", "none"]),
        st.integers(0, 3000),
        st.integers(1, 40) | st.integers(1, 250),
    ),
    max_size=12,
)


@settings(max_examples=400, deadline=None)
@given(
    size=st.integers(0, 700) | st.integers(0, 4000),
    changes=st.lists(changes, max_size=12),
    seconds=st.lists(st.floats(0, 3), max_size=20),
    link_last=st.booleans(),
)
def test_what_is_there_throughout_is_read(
    size: int,
    changes: list[list[tuple[str, int, int]]],
    seconds: list[float],
    *,
    link_last: bool,
) -> None:
    """No entry is hidden by additions and deletions anywhere in the list, between any answers.

    Additions cost no request but for the pages they fill; a deletion costs a few.
    """
    shifting = ShiftingList(size)
    shifting.link_last = link_last
    shifting.seconds = iter(seconds)
    script = iter(changes)
    added = deletions = 0

    def change(shifting: ShiftingList) -> None:
        nonlocal added, deletions
        for what, place, count in next(script, []):
            if what == "add":
                shifting.add(count)
                added += count
            elif what.startswith("delete"):
                deletions += 1
                for _ in range(count):
                    shifting.delete(place if what == "delete" else 0)

    shifting.before_answer = change
    found = run(read(shifting))
    assert shifting.throughout <= set(found)
    quiet = 2 + (size + added) // 75
    assert len(shifting.requests) <= quiet + AT_ONCE + 4 * deletions
