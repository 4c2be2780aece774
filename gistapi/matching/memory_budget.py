"""One memory budget for all windows in the process, shared without deadlock."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple


class _Waiter(NamedTuple):
    turn: asyncio.Future[None]
    holder: object
    size_bytes: int


class WindowBudget:
    """Bytes that scanners may hold together; a scanner asks for more as its text grows.

    The banker's algorithm, for one resource and the same largest claim for all: a grant is safe
    when the holder of most could still get all it may ever need. That one will end, and
    what it releases is enough for the next. For the loop alone; waiting holds no thread.
    """

    def __init__(self, total_bytes: int, largest_claim_bytes: int) -> None:
        if total_bytes < largest_claim_bytes:
            raise ValueError("the budget is smaller than one window")
        self._free = total_bytes
        self._largest_claim = largest_claim_bytes
        self._held: dict[object, int] = {}
        self._waiters: deque[_Waiter] = deque()

    async def hold(self, holder: object, size_bytes: int) -> None:
        """Let `holder` have `size_bytes` in all, as soon as they are free.

        Whatever ends the wait, `release` gives everything back.
        """
        size_bytes = min(size_bytes, self._largest_claim)
        is_first = holder not in self._held
        if not (is_first and self._waiters) and self._grant(holder, size_bytes):
            return
        waiter = _Waiter(asyncio.get_running_loop().create_future(), holder, size_bytes)
        self._waiters.append(waiter)
        try:
            await waiter.turn
        finally:
            if waiter in self._waiters:  # cancelled
                self._waiters.remove(waiter)
                self._serve()

    def release(self, holder: object) -> None:
        """Give back all that `holder` has. Idempotent."""
        freed = self._held.pop(holder, 0)
        if freed:
            self._free += freed
            self._serve()

    def _serve(self) -> None:
        """Grant what can be granted, in the order in which it was asked for.

        New holders wait for those before them; growing holders wait for nobody,
        since they release memory when they end.
        """
        left: deque[_Waiter] = deque()
        for waiter in self._waiters:
            may_pass = not left or waiter.holder in self._held
            if waiter.turn.done() or not (may_pass and self._grant(*waiter[1:])):
                left.append(waiter)
            else:
                waiter.turn.set_result(None)
        self._waiters = left

    def _grant(self, holder: object, size_bytes: int) -> bool:
        more = size_bytes - self._held.get(holder, 0)
        if more <= 0:
            return True
        most = max(size_bytes, max(self._held.values(), default=0))
        if self._free - more < self._largest_claim - most:
            return False
        self._free -= more
        self._held[holder] = size_bytes
        return True
