"""A memory budget for holders that grow, without deadlock."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple


class _Waiter(NamedTuple):
    turn: asyncio.Future[None]
    holder: object
    more_bytes: int


class GrowingBudget:
    """Bounds the bytes that all holders have together; a holder may ask for more while it has some.

    The banker's algorithm for one resource, with the same largest claim for every holder: a grant
    is safe if the largest holder could still get its whole claim. That holder will then end, and
    release enough for the next. Used only on the loop.
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
        """Return how much a holder has."""
        return self._held.get(holder, 0)

    async def grow(self, holder: object, more_bytes: int) -> None:
        """Wait until `holder` can have more, up to the largest claim, and grant it.

        Call `release` also after a wait that was cancelled or failed.
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
        """Grant `holder` more if that is possible now; new holders get none while others wait."""
        is_first = holder not in self._held
        return not (is_first and self._waiters) and self._grant(holder, more_bytes)

    def shrink(self, holder: object, less_bytes: int) -> None:
        """Release a part of what `holder` has."""
        if less_bytes >= self._held.get(holder, 0):
            self.release(holder)
        elif less_bytes > 0:
            self._held[holder] -= less_bytes
            self._free += less_bytes
            self._serve()

    def release(self, holder: object) -> None:
        """Release all that `holder` has. Idempotent."""
        freed = self._held.pop(holder, 0)
        if freed:
            self._free += freed
            self._serve()

    def _serve(self) -> None:
        """Grant what can be granted, in the order of the requests.

        A new holder waits for all requests before it. A holder that grows waits for none of them,
        since it releases memory only when it ends.
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
