"""Places are bounded, shared fairly, and never lost."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gistapi.aio.limiter import FairLimiter, Lane, WorkWindow
from tests.aio.looping import run


async def hold(lane: Lane, seconds: float, done: list[str] | None = None, name: str = "") -> None:
    """Hold a place for some seconds."""
    async with lane.place():
        await asyncio.sleep(seconds)
    if done is not None:
        done.append(name)


def test_a_lane_with_many_waiters_delays_no_other() -> None:
    """Three late waiters of a second lane are served among the first few of 400."""

    async def go() -> None:
        limiter = FairLimiter(4, 4)
        done: list[str] = []
        big, small = limiter.lane(), limiter.lane()
        async with asyncio.TaskGroup() as group:
            for _ in range(400):
                group.create_task(hold(big, 1, done, "big"))
            await asyncio.sleep(2.5)
            for _ in range(3):
                group.create_task(hold(small, 1, done, "small"))
        assert max(place for place, name in enumerate(done) if name == "small") < 20
        assert limiter.free == 4

    run(go())


def test_a_lane_holds_no_more_than_its_share() -> None:
    """A lane alone gets its whole share; the other places stay free."""

    async def go() -> None:
        limiter = FairLimiter(10, 3)
        lane = limiter.lane()
        async with asyncio.TaskGroup() as group:
            for _ in range(7):
                group.create_task(hold(lane, 1))
            await asyncio.sleep(0.5)
            assert (lane.held, limiter.free) == (3, 7)

    run(go())


def test_a_lane_that_begins_to_wait_goes_first() -> None:
    """One waiter beside 63 lanes of many is served next, not after a round of them."""

    async def go() -> None:
        limiter = FairLimiter(4)
        done: list[str] = []
        async with asyncio.TaskGroup() as group:
            for _ in range(63):
                big = limiter.lane()
                for _ in range(10):
                    group.create_task(hold(big, 1, done, "big"))
            await asyncio.sleep(60.5)
            before = len(done)
            group.create_task(hold(limiter.lane(), 1, done, "small"))
        assert done.index("small") < before + 2 * 4

    run(go())


def test_a_caller_waits_for_one_turn_of_each_other_caller() -> None:
    """Two waiters of a search wait for as many of others as there are callers, not searches."""

    async def go() -> None:
        limiter = FairLimiter(1)
        done: list[str] = []

        async def twice(lane: Lane) -> None:
            for _ in range(2):
                await hold(lane, 1, done, "small")

        async with asyncio.TaskGroup() as group:
            for number in range(60):
                big = limiter.lane(f"caller {number % 3}")
                for _ in range(10):
                    group.create_task(hold(big, 1, done, "big"))
            await asyncio.sleep(70.5)
            before = len(done)
            group.create_task(twice(limiter.lane("another")))
        last = max(place for place, name in enumerate(done) if name == "small")
        assert last - before <= 2 * (3 + 1)

    run(go())


def test_a_lane_goes_first_once() -> None:
    """Lanes that ask again as soon as they were served get no more than their turns."""

    async def go() -> None:
        limiter = FairLimiter(1)
        done: list[str] = []

        async def again(lane: Lane) -> None:
            for _ in range(50):
                await hold(lane, 1, done, "again")

        big = limiter.lane()
        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(again(limiter.lane()))
            for _ in range(20):
                group.create_task(hold(big, 1, done, "big"))
        ends = max(place for place, name in enumerate(done) if name == "big")
        assert ends <= 20 * 6

    run(go())


@given(
    seed=st.integers(0, 2**32),
    total=st.sampled_from([1, 2, 4, 100]),
    per_lane=st.integers(1, 4),
    sizes=st.lists(st.integers(0, 150), min_size=1, max_size=60),
    cancelled=st.sets(st.integers(0, 59)),
)
def test_no_place_is_lost_and_none_is_held_twice(
    seed: int, total: int, per_lane: int, sizes: list[int], cancelled: set[int]
) -> None:
    """Holders of any size in five lanes, some cancelled at any moment, end with nothing held."""
    chance = random.Random(seed)

    async def go() -> None:
        limiter = FairLimiter(total, per_lane if total < 100 else None)
        lanes = [limiter.lane() for _ in range(5)]

        async def use(size: int) -> None:
            async with chance.choice(lanes).place(size):
                assert limiter.held <= total
                await asyncio.sleep(chance.randrange(3))

        tasks = [asyncio.create_task(use(size)) for size in sizes]
        for place in cancelled:
            await asyncio.sleep(chance.randrange(2))  # also at the moment of a grant
            if place < len(tasks):
                tasks[place].cancel()
        async with asyncio.timeout(1000):  # of simulated time
            results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
        assert limiter.free == total
        assert all(lane.held == 0 for lane in lanes)

    run(go())


def test_a_large_holder_is_not_overtaken_for_ever() -> None:
    """What comes later waits behind it, however small."""

    async def go() -> None:
        budget = FairLimiter(100)
        order: list[str] = []

        async def use(size: int, name: str) -> None:
            async with budget.lane().place(size):
                order.append(name)
                await asyncio.sleep(1)

        async with asyncio.TaskGroup() as group:
            for size, name in ((60, "first"), (90, "large"), (10, "small")):
                group.create_task(use(size, name))
        assert order == ["first", "large", "small"]

    run(go())


@pytest.mark.parametrize(("freed", "taken"), [(1, 1), (9, 9), (16, 10)])
def test_a_window_grants_the_places_that_are_free(freed: int, taken: int) -> None:
    """It waits a moment for several places, and returns as soon as one is free after that."""

    async def go() -> None:
        window = WorkWindow(16)
        assert await window.take(16, 16, 0.1) == 16
        taking = asyncio.create_task(window.take(10, 16, 0.1))
        await asyncio.sleep(5)
        assert not taking.done()
        window.release(freed)
        assert await taking == taken
        assert window.held == 16 - freed + taken

    run(go())


def test_a_window_can_be_taken_whole() -> None:
    """Taking all places waits until none is held."""

    async def go() -> None:
        window = WorkWindow(3)
        await window.take(2, 1, 0)
        taking = asyncio.create_task(window.take_all())
        await asyncio.sleep(1)
        assert not taking.done()
        window.release(2)
        await taking
        assert window.held == 3

    run(go())
