"""Which gists of a listing are decided, what of that may be told, and where the search stands.

The answer is always a prefix of GitHub's order. `in_order`, a match waits until every newer gist
is decided; otherwise it is told at once, and the cursor remembers it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from gistapi.aio.deadline import Deadline
from gistapi.models import Gist, GistFile, Incomplete, Match
from gistapi.search.cursor import Cursor

NEVER = Deadline(0)
LOOK_AHEAD = 64
"""So many gists are under way at most, from the oldest undecided on."""
TOGETHER = 16
"""So many more are begun at once when the list has them: the cache is asked once for them all."""


@dataclass(eq=False, slots=True)
class Slot:
    """One gist on its way.

    `files` are those to be searched, `pending` how many of them are not yet; `refused` are those
    that only git has; `work` is what its downloads run under; `told`: its match has been told.
    """

    gist: Gist
    files: list[GistFile] = field(default_factory=list)
    pending: int = 0
    refused: list[GistFile] = field(default_factory=list)
    work: Deadline = NEVER
    match: Match | None = None
    gaps: list[Incomplete] = field(default_factory=list)
    decided: bool = False
    told: bool = False


class Order:
    """The gists of one search, from the cursor on.

    Invariant: `_slots` begins with the oldest undecided gist (after `told_by_prefix` ran), and
    `_started` of its members have been handed out by `startable`.
    """

    def __init__(self, cursor: Cursor, *, in_order: bool, limit: int | None) -> None:
        self._cursor = cursor
        self._start = cursor
        self._in_order = in_order or limit is not None
        self._limit = limit
        self._slots: deque[Slot] = deque()
        self._started = 0
        self.listed = 0
        self.done = 0
        self.decided = 0  # by this search: `done` counts those before the cursor too
        self.matches = 0

    @property
    def full(self) -> bool:
        """Whether as many matches were told as asked for."""
        return self._limit is not None and self.matches >= self._limit

    @property
    def idle(self) -> bool:
        """Whether every gist listed so far is decided and told."""
        return not self._slots

    @property
    def cursor(self) -> Cursor:
        """Where the search would go on; `sent` are the matches told beyond that."""
        told = {slot.gist.id for slot in self._slots if slot.told}
        return Cursor(self._cursor.before, self._cursor.done, self._cursor.sent | told)

    @property
    def advanced(self) -> bool:
        """Whether the prefix has grown since the search began."""
        place, start = self._cursor, self._start
        return (place.before, place.done) != (start.before, start.done)

    def add(self, gist: Gist) -> Slot | None:
        """Append a gist of the listing; None when an earlier answer has dealt with it."""
        self.listed += 1
        if self._start.passed(gist.id, gist.created_at):
            self.done += 1
            return None
        slot = Slot(gist)
        self._slots.append(slot)
        if gist.id not in self._start.sent:
            return slot
        slot.decided = slot.told = True
        self.done += 1
        return None

    def startable(self) -> list[Slot]:
        """The gists that are to be begun now, each handed out once."""
        if self._started > LOOK_AHEAD - TOGETHER:
            return []
        near = islice(self._slots, self._started, LOOK_AHEAD)
        fresh = [slot for slot in near if not slot.decided]
        self._started = max(self._started, min(len(self._slots), LOOK_AHEAD))
        return fresh

    def decide(self, slot: Slot) -> Iterator[Match | Incomplete]:
        """Take a gist as decided by what stands in its slot; yield what may be told now."""
        slot.decided = True
        self.done += 1
        self.decided += 1
        if slot.match is not None and not self._in_order:
            slot.told = True
            self.matches += 1
            yield slot.match
        yield from self.told_by_prefix()

    def told_by_prefix(self) -> Iterator[Match | Incomplete]:
        """Yield what the decided gists at the front have to tell, and pass them."""
        while self._slots and self._slots[0].decided and not self.full:
            slot = self._slots.popleft()
            self._started = max(0, self._started - 1)
            self._cursor = self._cursor.after(slot.gist.id, slot.gist.created_at)
            if slot.match is None:
                yield from slot.gaps
            elif not slot.told:
                self.matches += 1
                yield slot.match

    def give_up(self, reason: str, message: str) -> Iterator[Match | Incomplete]:
        """Let the oldest undecided gist be a gap, so that the search gets past it."""
        if self._slots:
            slot = self._slots[0]
            slot.match = None
            slot.gaps = [Incomplete(slot.gist.html_url, None, reason, message)]
            yield from self.decide(slot)

    def give_up_late(self, message: str) -> Iterator[Incomplete]:
        """Let undecided gists that the cursor would skip be gaps: the listing showed them late."""
        for slot in self._slots:
            if not slot.decided and self._cursor.passed(slot.gist.id, slot.gist.created_at):
                yield Incomplete(slot.gist.html_url, None, "deadline", message)
