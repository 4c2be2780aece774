"""A budget of bytes is never exceeded, is granted in order and loses nothing."""

from __future__ import annotations

import asyncio
import random

from hypothesis import given
from hypothesis import strategies as st

from gistapi.aio.budget import ByteBudget
from tests.aio.looping import run


@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(0, 150), min_size=1, max_size=30),
    cancelled=st.sets(st.integers(0, 29)),
)
def test_a_budget_is_never_exceeded(seed: int, sizes: list[int], cancelled: set[int]) -> None:
    """Holders of any size, some of them cancelled at any moment, leave nothing held."""
    chance = random.Random(seed)

    async def go() -> None:
        budget = ByteBudget(100)

        async def use(size: int) -> None:
            async with budget.hold(size):
                assert budget.held_bytes <= 100
                await asyncio.sleep(chance.random())

        tasks = [asyncio.create_task(use(size)) for size in sizes]
        for place in cancelled:
            await asyncio.sleep(chance.random() / 10)
            if place < len(tasks):
                tasks[place].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert budget.held_bytes == 0
        assert all(
            result is None or isinstance(result, asyncio.CancelledError) for result in results
        )

    run(go())


def test_a_large_request_is_not_overtaken() -> None:
    """Later requests wait behind it, however small they are."""

    async def go() -> None:
        budget = ByteBudget(100)
        order: list[str] = []

        async def use(size: int, name: str) -> None:
            async with budget.hold(size):
                order.append(name)
                await asyncio.sleep(1)

        async with asyncio.TaskGroup() as group:
            for size, name in ((60, "first"), (90, "large"), (10, "small")):
                group.create_task(use(size, name))
        assert order == ["first", "large", "small"]

    run(go())
