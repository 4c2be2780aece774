"""Turns of tasks that hold the loop for long."""

from __future__ import annotations

import asyncio

from gistapi.aio.rounds import Rounds
from tests.aio.looping import run


def test_without_others_a_step_never_waits() -> None:
    """A task alone takes one step in each round that it needs anyway, and no rounds more."""

    async def main() -> None:
        rounds = Rounds()
        for _ in range(3):
            step = rounds.step()
            try:
                step.send(None)
            except StopIteration:
                await asyncio.sleep(0)
            else:
                raise AssertionError("the step has waited")

    run(main())


def test_a_round_has_one_step_of_all_tasks() -> None:
    """Four tasks with three steps each: in the order of asking, each in a round of its own."""
    steps: list[tuple[int, int]] = []

    async def main() -> None:
        rounds = Rounds()
        number = 0

        async def long(name: int) -> None:
            for _ in range(3):
                await rounds.step()
                steps.append((name, number))

        tasks = [asyncio.create_task(long(name)) for name in range(4)]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            number += 1

    run(main())
    assert [name for name, _ in steps] == [0, 0, 1, 2, 3, 0, 1, 2, 3, 1, 2, 3]
    numbers = [number for _, number in steps]
    assert len(set(numbers)) == len(numbers)


def test_a_cancelled_task_takes_no_round() -> None:
    """The next one has its step."""
    had_step: list[str] = []

    async def main() -> None:
        rounds = Rounds()

        async def long(name: str) -> None:
            await rounds.step()
            had_step.append(name)

        tasks = [asyncio.create_task(long(name)) for name in ("first", "second", "third")]
        await asyncio.sleep(0)  # the first has its step, the others wait
        tasks[1].cancel()
        await asyncio.wait(tasks)

    run(main())
    assert had_step == ["first", "third"]
