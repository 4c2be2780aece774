"""Holders that grow share one memory budget: never exceeded, without deadlocks."""

from __future__ import annotations

import asyncio
import random

import pytest

from gistapi.aio.growing import GrowingBudget
from gistapi.matching import Matching, Sizes, compile_pattern
from gistapi.models import Flags
from tests.aio.looping import run


def test_growing_holders_never_deadlock() -> None:
    """Many holders that grow by random steps to the largest claim all finish, within the budget."""
    budget = GrowingBudget(40, 16)
    held = {"now": 0, "most": 0}

    async def grow(seed: int) -> None:
        dice = random.Random(seed)
        mine = 0
        for size in sorted(dice.choices(range(1, 17), k=4)):
            await budget.grow(seed, size - mine)
            held["now"] += size - mine
            held["most"] = max(held["most"], held["now"])
            mine = size
            await asyncio.sleep(dice.random())
        held["now"] -= mine
        budget.release(seed)

    async def main() -> None:
        await asyncio.gather(*map(grow, range(400)))

    run(main())
    assert 16 < held["most"] <= 40
    assert budget._free == 40


def test_waiters_are_served_in_order() -> None:
    """A small new holder does not overtake a waiting one; a holder that grows overtakes both."""
    served: list[str] = []

    async def grow(budget: GrowingBudget, holder: str, more: int) -> None:
        await budget.grow(holder, more)
        served.append(holder)

    async def main() -> None:
        budget = GrowingBudget(12, 10)
        await grow(budget, "first", 7)
        waiting = [asyncio.create_task(grow(budget, "large", 8))]
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(grow(budget, "small", 1)))
        await asyncio.sleep(0)
        await grow(budget, "first", 2)
        assert served == ["first", "first"]
        budget.release("first")
        await asyncio.gather(*waiting)
        assert served == ["first", "first", "large", "small"]

    run(main())


def test_a_cancelled_wait_holds_nothing() -> None:
    """A wait may be cancelled even as it is granted; the later waiters are served."""

    async def main() -> None:
        budget = GrowingBudget(10, 10)
        await budget.grow("a", 10)
        cancelled = [asyncio.create_task(budget.grow(name, 10)) for name in "bc"]
        behind = asyncio.create_task(budget.grow("d", 1))
        await asyncio.sleep(0)
        cancelled[1].cancel()
        budget.release("a")  # granted to "b", which is cancelled before it runs again
        cancelled[0].cancel()
        await asyncio.wait(cancelled)
        assert all(task.cancelled() for task in cancelled)
        budget.release("b")
        budget.release("c")
        await behind
        budget.release("d")
        budget.release("d")
        assert budget._free == 10

    run(main())


def test_a_budget_smaller_than_one_claim_is_refused() -> None:
    """Such a budget could never satisfy one holder."""
    with pytest.raises(ValueError, match="smaller"):
        GrowingBudget(1, 2)


def test_many_large_windows_share_a_small_budget() -> None:
    """Sixty-four files that each need a whole window finish with a budget of two and a half."""
    sizes = Sizes(overlap_bytes=1 << 16, first_bytes=1 << 10)
    matching = Matching(sizes=sizes, budget_bytes=sizes.window_bytes * 5 // 2)
    search = matching.matcher(compile_pattern("(?s)<.*>", Flags()))

    async def one(number: int) -> bool:
        async with search.scanner() as scanner:
            for _ in range(10):
                found = await scanner.feed(b"x" * 50_000)
                await asyncio.sleep(0)
            found = found or await scanner.feed(b"<" + b"y" * 60_000 + b">" * (number % 2))
            return (found or await scanner.finish()) is not None

    async def main() -> list[bool]:
        try:
            return await asyncio.gather(*map(one, range(64)))
        finally:
            await matching.close()

    assert run(main(), jumping=False) == [bool(number % 2) for number in range(64)]
    assert matching.budget._held == {}
