"""Bounds on concurrent work, shared fairly by the searches."""

from __future__ import annotations

import asyncio
from collections import deque


class FairLimiter:
    """At most `total` places held at once, at most `per_lane` of them by one lane.

    Free places are given to the lanes in turn, so that a lane with many waiters delays no other.
    For the loop alone.
    """

    def __init__(self, total: int, per_lane: int) -> None:
        self._total = total
        self._free = total
        self.per_lane = per_lane
        self._turns: deque[Lane] = deque()

    @property
    def free(self) -> int:
        """Free places; negative while more are held than `resize` has left."""
        return self._free

    def resize(self, total: int) -> None:
        """Change the number of places. Those that are held stay held."""
        self._free += total - self._total
        self._total = total
        self._serve()

    def lane(self) -> Lane:
        """A new lane: one search's queue."""
        return Lane(self)

    def _serve(self) -> None:
        """Give free places to waiters; the lane served goes to the end of the line."""
        blocked = 0
        while self._free > 0 and blocked < len(self._turns):
            lane = self._turns.popleft()
            while lane.waiting and lane.waiting[0].done():  # cancelled while it waited
                lane.waiting.popleft()
            if not lane.waiting:
                lane.queued = False
                continue
            self._turns.append(lane)
            if lane.held >= self.per_lane:
                blocked += 1
                continue
            blocked = 0
            self._free -= 1
            lane.held += 1
            lane.waiting.popleft().set_result(None)

    def take(self, lane: Lane) -> bool:
        """Give a lane without waiters a place now, if it may have one."""
        if self._free <= 0 or lane.held >= self.per_lane:
            return False
        self._free -= 1
        lane.held += 1
        return True

    def enter(self, lane: Lane) -> None:
        """Queue a lane that has a waiter."""
        if not lane.queued:
            lane.queued = True
            self._turns.append(lane)
        self._serve()

    def leave(self, lane: Lane) -> None:
        """Take a place back from a lane."""
        self._free += 1
        lane.held -= 1
        self._serve()


class Lane:
    """One search's share of a limiter: the places it holds, and its waiters."""

    def __init__(self, limiter: FairLimiter) -> None:
        self._limiter = limiter
        self.held = 0
        self.queued = False
        self.waiting: deque[asyncio.Future[None]] = deque()

    @property
    def most(self) -> int:
        """How many places the lane may hold."""
        return self._limiter.per_lane

    def place(self) -> Lane:
        """A context that holds one place."""
        return self  # a generator for each of a search's files costs more than the place

    async def __aenter__(self) -> None:
        """Wait for a place. A cancelled wait gives back one that it was just given."""
        if not self.waiting and self._limiter.take(self):
            return
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        self._limiter.enter(self)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._limiter.leave(self)
            raise

    async def __aexit__(self, *_: object) -> None:
        """Give the place back."""
        self._limiter.leave(self)


class WorkWindow:
    """Places for concurrent work, taken by one task, several at once. For the loop alone."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = size
        self._freed = asyncio.Event()

    @property
    def held(self) -> int:
        """Places that are taken."""
        return self.size - self._free

    async def take(self, most: int, together: int, patience_seconds: float) -> int:
        """Take as many places as are free, `most` at most, and return how many.

        Waits for `together` of them (or `most`, if that is fewer), though not longer than
        `patience_seconds` once one is free.
        """
        await self._wait_for(1)
        try:
            async with asyncio.timeout(patience_seconds):
                await self._wait_for(min(most, together))
        except TimeoutError:
            pass
        taken = min(self._free, most)
        self._free -= taken
        return taken

    async def take_all(self) -> None:
        """Take every place, once all are free."""
        await self._wait_for(self.size)
        self._free = 0

    def release(self, count: int = 1) -> None:
        """Give places back."""
        self._free += count
        self._freed.set()

    async def _wait_for(self, count: int) -> None:
        while self._free < count:
            self._freed.clear()
            await self._freed.wait()
