"""Which targets are listed before their turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from gistapi.aio.limiter import FairLimiter
from gistapi.aio.scope import Scope
from gistapi.models import Page, Target
from gistapi.search.cursor import Place
from gistapi.search.targets import AHEAD, AHEAD_IN_ALL, PAGES_AHEAD, listed
from tests.aio.looping import run
from tests.search.simulated import Github

TARGETS = tuple(Target("username", f"user{number}") for number in range(20))
PAGES = PAGES_AHEAD + 2
SEARCHES = 60


class Counting(Github):
    """Users of PAGES pages each; counts the listings that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open = self.most_open = 0

    async def pages(self, target: Target, scope: Scope) -> AsyncGenerator[Page]:
        """Empty pages, more than are read ahead of one target."""
        del target, scope
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            for number in range(PAGES):
                yield Page((), last=number == PAGES - 1)
        finally:
            self.open -= 1


def test_sixty_searches_list_a_bounded_number_of_targets_and_all_of_them() -> None:
    """Each lists the target it is at; those before their turn are bounded in sum."""
    github, places, searches = Counting(), FairLimiter(AHEAD_IN_ALL), FairLimiter(1)
    at_first, everybody = asyncio.Semaphore(0), asyncio.Event()

    async def search() -> int:
        async with asyncio.TaskGroup() as group:
            scope = Scope(searches.lane(), ends_at=0)
            pages = listed(github, TARGETS, Place(), scope, places, group)
            async with aclosing(pages):
                count = int((await anext(pages)).page is not None)
                at_first.release()
                await everybody.wait()
                async for item in pages:
                    count += item.page is not None
        return count

    async def search_all() -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(search()) for _ in range(SEARCHES)]
            for _ in tasks:
                await at_first.acquire()
            everybody.set()
        assert [task.result() for task in tasks] == [len(TARGETS) * PAGES] * SEARCHES
        assert places.held == 0

    run(search_all())
    assert AHEAD_IN_ALL < github.most_open <= SEARCHES + AHEAD_IN_ALL


def test_a_search_that_ends_early_gives_its_places_back() -> None:
    """Its listings are cancelled with its tasks, and others read ahead in their place."""
    places = FairLimiter(AHEAD_IN_ALL)

    async def search() -> None:
        async with asyncio.TaskGroup() as group:
            scope = Scope(FairLimiter(1).lane(), ends_at=0)
            pages = listed(Counting(), TARGETS, Place(), scope, places, group)
            async with aclosing(pages):
                await anext(pages)
                assert places.held == AHEAD - 1
            raise LookupError

    with pytest.raises(ExceptionGroup):
        run(search())
    assert places.held == 0


def test_a_lone_search_lists_as_many_targets_at_once_as_one_may() -> None:
    """Nobody else needs the memory."""
    github = Counting()

    async def search() -> None:
        async with asyncio.TaskGroup() as group:
            scope = Scope(FairLimiter(1).lane(), ends_at=0)
            pages = listed(github, TARGETS, Place(), scope, FairLimiter(AHEAD_IN_ALL), group)
            async with aclosing(pages):
                async for _ in pages:
                    pass

    run(search())
    assert github.most_open == AHEAD
