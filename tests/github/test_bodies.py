"""Bodies of JSON in memory: few, and fewer large ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from gistapi.aio.limiter import FairLimiter
from gistapi.errors import GithubError
from gistapi.github.bodies import AT_ONCE, LARGE_AT_ONCE, MAX_BYTES, SMALL_BYTES, Bodies
from tests.aio.looping import run

SEARCHES = 2 * AT_ONCE
PART = SMALL_BYTES // 2


class Sent:
    """An answer whose parts are counted as they are taken."""

    def __init__(self, size_bytes: int) -> None:
        self.left_bytes = size_bytes
        self.taken_bytes = 0

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The body in parts of half a small one."""
        while self.left_bytes > 0:
            self.left_bytes -= PART
            self.taken_bytes += PART
            yield b" " * PART


async def parsed(bodies: Bodies, sent: Any, gate: asyncio.Event) -> int:
    """Read a body, wait, and parse it."""
    async with bodies.body(FairLimiter(1).lane()) as body:
        await body.read(sent)
        await gate.wait()
        return await body.parse(len)


@pytest.mark.parametrize(
    ("size_bytes", "most_bytes"),
    [
        (SMALL_BYTES, AT_ONCE * SMALL_BYTES),
        (MAX_BYTES, LARGE_AT_ONCE * MAX_BYTES + (AT_ONCE - LARGE_AT_ONCE) * (SMALL_BYTES + PART)),
    ],
)
def test_bodies_of_many_searches_are_bounded_in_sum(size_bytes: int, most_bytes: int) -> None:
    """Until one is parsed the others wait, a large one for large ones; all are read."""
    answers = [Sent(size_bytes) for _ in range(SEARCHES)]

    async def read_all() -> None:
        bodies, gate = Bodies(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(parsed(bodies, sent, gate)) for sent in answers]
            for _ in range(1000):  # rounds of the loop in which others could be read
                await asyncio.sleep(0)
            assert sum(sent.taken_bytes for sent in answers) == most_bytes
            gate.set()
        assert [task.result() for task in tasks] == [size_bytes] * SEARCHES
        assert bodies.places.held == 0
        bodies.close()

    run(read_all())


def test_a_body_beyond_every_bound_is_an_error() -> None:
    """A place that it had is free again."""

    async def read() -> None:
        bodies = Bodies()
        with pytest.raises(GithubError, match="more than"):
            await parsed(bodies, Sent(MAX_BYTES + PART), asyncio.Event())
        assert bodies.places.held == 0
        bodies.close()

    run(read())
