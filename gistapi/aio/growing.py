"""One memory budget for holders that grow, shared without deadlock."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple


class _Waiter(NamedTuple):
    turn: asyncio.Future[None]
    holder: object
    more_bytes: int


class GrowingBudget:
    """Bytes that holders have together; a holder may ask for more while it has some.

    The banker's algorithm, for one resource and the same largest claim for all: a grant is safe
    when the holder of most could still get all it may ever need. That one will end, and
    what it releases is enough for the next. For the loop alone; waiting holds no thread.
    """

    def __init__(self, total_bytes: int, largest_claim_bytes: int) -> None:
        if total_bytes < largest_claim_bytes:
            raise ValueError("the budget is smaller than one claim")
        self.largest_claim_bytes = largest_claim_bytes
        self._free = total_bytes
        self._held: dict[object, int] = {}
        self._waiters: deque[_Waiter] = deque()

    @property
    def is_wanted(self) -> bool:
        """Whether a holder waits for more."""
        return bool(self._waiters)

    def held_bytes(self, holder: object) -> int:
        """What a holder has."""
        return self._held.get(holder, 0)

    async def grow(self, holder: object, more_bytes: int) -> None:
        """Give `holder` more, up to the largest claim, as soon as it is free.

        Whatever ends the wait, `release` gives everything back.
        """
        if self.try_grow(holder, more_bytes):
            return
        waiter = _Waiter(asyncio.get_running_loop().create_future(), holder, more_bytes)
        self._waiters.append(waiter)
        try:
            await waiter.turn
        finally:
            if waiter in self._waiters:  # cancelled
                self._waiters.remove(waiter)
                self._serve()

    def try_grow(self, holder: object, more_bytes: int) -> bool:
        """Give `holder` more if it is free and, for one that holds nothing, nobody waits."""
        is_first = holder not in self._held
        return not (is_first and self._waiters) and self._grant(holder, more_bytes)

    def shrink(self, holder: object, less_bytes: int) -> None:
        """Give back a part of what `holder` has."""
        if less_bytes >= self._held.get(holder, 0):
            self.release(holder)
        elif less_bytes > 0:
            self._held[holder] -= less_bytes
            self._free += less_bytes
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

    def _grant(self, holder: object, more_bytes: int) -> bool:
        held = self._held.get(holder, 0)
        more_bytes = min(more_bytes, self.largest_claim_bytes - held)
        if more_bytes <= 0:
            return True
        most = max(held + more_bytes, max(self._held.values(), default=0))
        if self._free - more_bytes < self.largest_claim_bytes - most:
            return False
        self._free -= more_bytes
        self._held[holder] = held + more_bytes
        return True
