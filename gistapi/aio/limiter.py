"""Bounds on concurrent work, shared fairly by the searches that want it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary


class FairLimiter:
    """At most `total` places held at once, at most `per_lane` of them by one lane.

    Free places go round the lanes in turn, so that a lane with many waiters delays no other. A lane
    that begins to wait goes first, once: a search that wants little waits for no round of those
    that want much (https://www.rfc-editor.org/rfc/rfc8290). A holder must not wait for more while
    it holds some, or two holders could wait for each other. For the loop alone.
    """

    def __init__(self, total: int, per_lane: int | None = None) -> None:
        self._total = total
        self._free = total
        self.per_lane = total if per_lane is None else per_lane
        self._first: deque[Lane] = deque()
        self._turns: deque[Lane] = deque()
        self._beside: WeakKeyDictionary[Lane, Lane] = WeakKeyDictionary()

    @property
    def free(self) -> int:
        """Places that are free; negative while more are held than there are since `resize`."""
        return self._free

    @property
    def held(self) -> int:
        """Places that are held."""
        return self._total - self._free

    def resize(self, total: int) -> None:
        """Change the number of places. Those that are held stay held."""
        self._free += total - self._total
        self._total = total
        self._serve()

    def lane(self) -> Lane:
        """A new lane: one search's queue."""
        return Lane(self)

    def beside(self, lane: Lane) -> Lane:
        """The lane here of the search that has `lane`, perhaps in another limiter."""
        if lane.limiter is self:
            return lane
        own = self._beside.get(lane)
        if own is None:
            own = self._beside[lane] = Lane(self)
        return own

    def _serve(self) -> None:
        """Give free places to waiters; the lane served goes to the end of the line."""
        blocked = []
        while self._free > 0 and (lanes := self._first or self._turns):
            lane = lanes.popleft()
            while lane.waiting and lane.waiting[0][0].done():  # cancelled while it waited
                lane.waiting.popleft()
            if not lane.waiting:
                lane.queued = False
                continue
            turn, places = lane.waiting[0]
            if lane.held and lane.held + places > self.per_lane:
                blocked.append(lane)
            elif places > self._free:
                self._first.appendleft(lane)  # what comes later does not overtake it
                break
            else:
                lane.waiting.popleft()
                self._free -= places
                lane.held += places
                turn.set_result(None)
                self._turns.append(lane)
        self._turns.extend(blocked)

    def enter(self, lane: Lane, turn: asyncio.Future[None], places: int) -> int:
        """Queue a waiter of a lane; returns how many places it is going to get."""
        places = min(places, self._total)
        lane.waiting.append((turn, places))
        if not lane.queued:
            lane.queued = True
            self._first.append(lane)
        self._serve()
        return places

    def leave(self, lane: Lane, places: int) -> None:
        """Take places back from a lane."""
        self._free += places
        lane.held -= places
        self._serve()


class Lane:
    """One search's share of a limiter: how many places it holds, and who waits for how many."""

    def __init__(self, limiter: FairLimiter) -> None:
        self.limiter = limiter
        self.held = 0
        self.queued = False
        self.waiting: deque[tuple[asyncio.Future[None], int]] = deque()

    @property
    def most(self) -> int:
        """How many places the lane may hold."""
        return self.limiter.per_lane

    @asynccontextmanager
    async def place(self, places: int = 1) -> AsyncIterator[None]:
        """Hold some places together, or all there are if that is fewer.

        A cancelled wait gives back what it was just given.
        """
        turn = asyncio.get_running_loop().create_future()
        places = self.limiter.enter(self, turn, places)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.limiter.leave(self, places)
            else:
                self.limiter.leave(self, 0)  # the one behind may fit
            raise
        try:
            yield
        finally:
            self.limiter.leave(self, places)


class WorkWindow:
    """Places for work under way, taken by one task, several at once. For the loop alone."""

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
