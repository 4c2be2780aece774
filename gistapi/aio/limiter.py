"""Bounds on concurrent work, shared fairly by the searches."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

T = TypeVar("T", "_Caller", "Lane")


class _Turns(deque[T]):
    """A queue of those that take turns; who begins to wait goes first, once.

    The `new` ones at its beginning have not had a turn yet. `queued` of one is true from `join`
    until it is taken out and not put back. Source: https://www.rfc-editor.org/rfc/rfc8290
    """

    new = 0

    def join(self, one: T) -> None:
        """Queue one that begins to wait, if it is not queued."""
        if not one.queued:
            one.queued = True
            self.insert(self.new, one)
            self.new += 1

    def take_first(self) -> T:
        """Take the next one out."""
        self.new -= self.new > 0
        return self.popleft()

    def put_back(self, one: T) -> None:
        """Make one the next again."""
        self.new += 1
        self.appendleft(one)


class _Caller:
    """The lanes of one caller that wait."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.queued = False
        self.lanes: _Turns[Lane] = _Turns()


class FairLimiter:
    """At most `total` places held at once, at most `per_lane` of them by one lane.

    Free places are given to the callers in turn, and among a caller's lanes in turn, so that a
    caller with many searches, or a lane with many waiters, delays no other. Whoever begins to wait
    goes first, once: a small search does not wait for a round of the large ones. A holder must not
    wait for more places, or two holders could wait for each other. For the loop alone.
    """

    def __init__(self, total: int, per_lane: int | None = None) -> None:
        self.total = total
        self._free = total
        self.per_lane = total if per_lane is None else per_lane
        self._turns: _Turns[_Caller] = _Turns()
        self._callers: WeakValueDictionary[str, _Caller] = WeakValueDictionary()
        self._beside: WeakKeyDictionary[Lane, Lane] = WeakKeyDictionary()

    @property
    def free(self) -> int:
        """Free places; negative after a `resize` to fewer than are held."""
        return self._free

    @property
    def held(self) -> int:
        """Places that are held."""
        return self.total - self._free

    def resize(self, total: int) -> None:
        """Change the number of places. Those that are held stay held."""
        self._free += total - self.total
        self.total = total
        self._serve()

    def lane(self, caller: str = "") -> Lane:
        """A new lane: the queue of one search of a caller."""
        found = self._callers.get(caller)
        if found is None:
            found = self._callers[caller] = _Caller(caller)
        return Lane(self, found)

    def beside(self, lane: Lane) -> Lane:
        """This limiter's lane of the search that has `lane` in this or another limiter."""
        if lane.limiter is self:
            return lane
        own = self._beside.get(lane)
        if own is None:
            own = self._beside[lane] = self.lane(lane.caller.name)
        return own

    def _serve(self) -> None:
        """Grant free places to waiters; who was served goes to the end of the queue."""
        blocked = []
        while self._free > 0 and self._turns:
            caller = self._turns.take_first()
            lane = self._next_lane(caller)
            if lane is None:
                caller.queued = bool(caller.lanes)
                if caller.queued:
                    blocked.append(caller)
                continue
            turn, places = lane.waiting[0]
            if places > self._free:  # what comes later does not overtake it
                caller.lanes.put_back(lane)
                self._turns.put_back(caller)
                break
            lane.waiting.popleft()
            self._free -= places
            lane.held += places
            turn.set_result(None)
            caller.lanes.append(lane)
            self._turns.append(caller)
        self._turns.extend(blocked)

    def _next_lane(self, caller: _Caller) -> Lane | None:
        """Take the next lane that may have what it waits for out of the caller's queue."""
        found, blocked = None, []
        while caller.lanes and found is None:
            lane = caller.lanes.take_first()
            while lane.waiting and lane.waiting[0][0].done():  # cancelled while it waited
                lane.waiting.popleft()
            if not lane.waiting:
                lane.queued = False
            elif lane.may_take(lane.waiting[0][1]):
                found = lane
            else:
                blocked.append(lane)
        caller.lanes.extend(blocked)
        return found

    def take(self, lane: Lane, places: int) -> bool:
        """Grant places at once, if the lane has no waiters and may have them."""
        if lane.waiting or self._turns.new or places > self._free or not lane.may_take(places):
            return False
        self._free -= places
        lane.held += places
        return True

    def enter(self, lane: Lane, turn: asyncio.Future[None], places: int) -> None:
        """Queue a waiter of a lane."""
        lane.waiting.append((turn, places))
        lane.caller.lanes.join(lane)
        self._turns.join(lane.caller)
        self._serve()

    def leave(self, lane: Lane, places: int) -> None:
        """Take places back from a lane."""
        self._free += places
        lane.held -= places
        if self._turns:
            self._serve()


class Lane:
    """One search's share of a limiter: the places it holds, and its waiters."""

    def __init__(self, limiter: FairLimiter, caller: _Caller) -> None:
        self.limiter = limiter
        self.caller = caller
        self.held = 0
        self.queued = False
        self.waiting: deque[tuple[asyncio.Future[None], int]] = deque()

    @property
    def most(self) -> int:
        """How many places the lane may hold."""
        return self.limiter.per_lane

    def may_take(self, places: int) -> bool:
        """Whether its bound allows this many more; whatever their number, if it holds none."""
        return not self.held or self.held + places <= self.limiter.per_lane

    def try_hold(self, places: int) -> bool:
        """Hold this many places in all, if that needs no wait; those beyond are given back."""
        more = places - self.held
        if more < 0:
            self.limiter.leave(self, -more)
        return more <= 0 or self.limiter.take(self, more)

    def place(self, places: int = 1) -> Places:
        """A context that holds some places, or all there are if that is fewer."""
        return Places(self, min(places, self.limiter.total))


class Places:
    """Places of a lane, held together while the context lasts."""

    __slots__ = ("_lane", "_places")

    def __init__(self, lane: Lane, places: int) -> None:
        self._lane = lane
        self._places = places

    def try_take(self) -> bool:
        """Take the places if that needs no wait; returns whether it does not."""
        return self._lane.limiter.take(self._lane, self._places)

    async def take(self) -> None:
        """Wait for the places. A cancelled wait gives back what it was just given."""
        if self.try_take():
            return
        limiter, lane, places = self._lane.limiter, self._lane, self._places
        turn = asyncio.get_running_loop().create_future()
        limiter.enter(lane, turn, places)
        try:
            await turn
        except asyncio.CancelledError:
            # A waiter that is gone frees no place, but the one behind it may fit.
            limiter.leave(lane, places if turn.done() and not turn.cancelled() else 0)
            raise

    def give_back(self) -> None:
        """Give the places back."""
        self._lane.limiter.leave(self._lane, self._places)

    __aenter__ = take

    async def __aexit__(self, *_: object) -> None:
        self.give_back()


class WorkWindow:
    """Places for concurrent work, of which one task takes several at a time. For the loop alone."""

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
