"""A bound on bytes held in memory, shared by everything that holds some."""

from __future__ import annotations

import asyncio
from collections import deque


class ByteBudget:
    """At most `total_bytes` held at once, granted first come, first served. For the loop alone.

    A holder must not wait for more while it holds some, or two holders could wait for each other.
    """

    def __init__(self, total_bytes: int) -> None:
        self._total = total_bytes
        self._free = total_bytes
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()

    @property
    def held_bytes(self) -> int:
        """Bytes that are granted now."""
        return self._total - self._free

    def hold(self, size_bytes: int) -> Held:
        """A context that holds some bytes, all of the budget at most."""
        return Held(self, min(size_bytes, self._total))

    async def take(self, size: int) -> None:
        """Wait for bytes, to be released."""
        if self._waiting or size > self._free:
            await self._wait(size)
        else:
            self._free -= size

    async def _wait(self, size: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, size))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(size)
            else:
                self._grant()  # the one behind may fit
            raise

    def release(self, size: int) -> None:
        """Give bytes back."""
        self._free += size
        self._grant()

    def _grant(self) -> None:
        while self._waiting:
            turn, size = self._waiting[0]
            if not turn.done():
                if size > self._free:
                    return
                self._free -= size
                turn.set_result(None)
            self._waiting.popleft()


class Held:
    """Bytes of a budget, while its context lasts. No generator: one for each file costs more."""

    __slots__ = ("_budget", "_size")

    def __init__(self, budget: ByteBudget, size: int) -> None:
        self._budget = budget
        self._size = size

    async def __aenter__(self) -> None:
        await self._budget.take(self._size)

    async def __aexit__(self, *_: object) -> None:
        self._budget.release(self._size)
