"""A search's share of the memory for answers: what it has found, until the answer has been sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from gistapi.aio.growing import GrowingBudget
from gistapi.search.stop import Stop

FREE_BYTES = 256 * 1024
"""What each search may find beside the budget, so that few matches never wait."""
AHEAD_BYTES = 2**20
"""What a stream finds beyond what its reader has read, unless other searches wait for memory."""


class Room:
    """A context in which matches may be found; `left_bytes` are still reserved for them.

    What they do not take is given back. No generator: there is one for each file.
    """

    def __init__(self, share: AnswerShare, most_bytes: int) -> None:
        self.left_bytes = most_bytes
        self._share = share

    async def __aenter__(self) -> Self:
        await self._share.reserve(self.left_bytes)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._share.give_back(self.left_bytes)


class AnswerShare:
    """What one search's matches take, those of undecided gists included. For the loop alone.

    What exceeds FREE_BYTES is taken from the budget that all searches share, and the search waits
    for it. It must then hold nothing that another search could wait for: no contents, no place, no
    turn. `is_alone`: the search is at one gist, which must fit. `waited_seconds` is how long it
    waited for other searches and for its reader. Unless matches are `kept` until the end, the
    search stays close to its reader: it holds what others can use only while it is being read.
    """

    def __init__(self, budget: GrowingBudget, *, kept: bool = True) -> None:
        self.is_alone = False
        self.waited_seconds = 0.0
        self._budget = budget
        self._most_bytes = FREE_BYTES + budget.largest_claim_bytes
        self._kept = kept
        self._found: dict[int, int] = {}
        self._unread: set[int] = set()
        self._found_bytes = 0
        self._expected_bytes = 0
        self._growing = asyncio.Lock()
        self._left = asyncio.Event()

    @property
    def is_kept(self) -> bool:
        """Whether matches take memory until the answer has been sent."""
        return self._kept

    @property
    def holds_budget(self) -> bool:
        """Whether `release` has something to give back. For any thread once the search is over."""
        return self._budget.held_bytes(self) > 0

    @property
    def size_bytes(self) -> int:
        """What has been found and is being looked for."""
        return self._found_bytes + self._expected_bytes

    def room(self, most_bytes: int) -> Room:
        """A context in which matches of up to this size may be found."""
        return Room(self, most_bytes)

    async def reserve(self, most_bytes: int) -> None:
        """Wait until matches of up to this size may be found.

        Raises Stop when the search has found as much as one may.
        """
        is_first = self._kept and not self._growing.locked()
        most = FREE_BYTES + self._budget.held_bytes(self)
        if is_first and self.size_bytes + most_bytes <= most:  # as a rule
            self._expected_bytes += most_bytes
            return
        async with self._growing:
            if not self._kept:
                await self._wait_for_reader()
            while self._expected_bytes and self.size_bytes + most_bytes > self._most_bytes:
                await self._wait_for_less()
            if self.size_bytes + most_bytes > self._most_bytes and not self.is_alone:
                raise Stop.found_too_much()
            while (more := self._missing(most_bytes)) > 0:
                await self._grow(more)
            self._expected_bytes += most_bytes

    def give_back(self, expected_bytes: int) -> None:
        """Give back what was reserved and not found."""
        self._expected_bytes -= expected_bytes
        self._give_back()

    def try_keep(self, room: Room, number: int, size_bytes: int) -> bool:
        """Count what is found in a gist, if it fits into `room` or what is free now."""
        more = size_bytes - self._found.get(number, 0)
        reserved = max(0, min(more, room.left_bytes))
        if self._is_ahead(more - reserved) or not self._fits(more - reserved):
            return False
        room.left_bytes -= reserved
        self._expected_bytes -= reserved
        self.keep(number, size_bytes)
        return True

    def keep(self, number: int, size_bytes: int) -> None:
        """Count what is kept of a gist, in place of what was counted of it before.

        Without having room for it: the next `room` waits for what this exceeds.
        """
        self._found_bytes += size_bytes - self._found.pop(number, 0)
        if size_bytes:
            self._found[number] = size_bytes

    def sending(self, number: int) -> None:
        """Note that a gist's match waits for the reader: `forget` follows, whatever else waits."""
        self._unread.add(number)

    def forget(self, number: int) -> None:
        """Give back what a gist takes: its match has been sent."""
        self._unread.discard(number)
        self.keep(number, 0)
        self._give_back()

    def release(self) -> None:
        """Give all back: the answer has been sent, or never will be."""
        self._budget.release(self)

    def _give_back(self) -> None:
        self._left.set()
        if self._budget.held_bytes(self):
            self._budget.shrink(self, -self._missing(0))

    async def _grow(self, more_bytes: int) -> None:
        with self._waiting():
            await self._budget.grow(self, more_bytes)

    async def _wait_for_reader(self) -> None:
        """Wait until the reader has nearly all that was sent; all of it, if other searches wait.

        Then this search gives back its share, and comes after them.
        """
        with self._waiting():
            while self._unread_bytes > (0 if self._budget.is_wanted else AHEAD_BYTES):
                await self._wait_for_less()

    @property
    def _unread_bytes(self) -> int:
        return sum(self._found.get(number, 0) for number in self._unread)

    async def _wait_for_less(self) -> None:
        self._left.clear()
        await self._left.wait()

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            yield
        finally:
            self.waited_seconds += loop.time() - began

    def _fits(self, more_bytes: int) -> bool:
        if more_bytes <= 0 or self.is_alone:
            return True
        if self.size_bytes + more_bytes > self._most_bytes:
            return False
        missing = self._missing(more_bytes)
        return missing <= 0 or self._budget.try_grow(self, missing)

    def _is_ahead(self, more_bytes: int) -> bool:
        """Whether more, without having waited for it, would be too far ahead of the reader."""
        if self._kept or more_bytes <= 0 or not self._found_bytes:
            return False
        return self._found_bytes + more_bytes > AHEAD_BYTES

    def _missing(self, more_bytes: int) -> int:
        """How much more the budget would have to give; less than 0 if it gave too much."""
        wanted = min(self.size_bytes + more_bytes, self._most_bytes) - FREE_BYTES
        return max(0, wanted) - self._budget.held_bytes(self)
