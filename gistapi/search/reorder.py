"""Reorder buffer: gists finish in any order, and the buffer decides when to release their results.

Without a limit, a result is released at once. With a limit, it is released when all earlier gists
are decided, so that the answer is a prefix of the listing. The cursor marks the far end, up to
which gists were begun, and names the gists before it that are still owed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gistapi.models import Gist, Incomplete, Match
from gistapi.search.cursor import MAX_OWED, Cursor, Place


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of searching one gist: a match, or what could not be searched, or neither."""

    match: Match | None = None
    incomplete: tuple[Incomplete, ...] = ()


NOTHING = Outcome()


@dataclass(eq=False, slots=True)
class Slot:
    """One gist in the buffer. `number` counts the gists of all listings from 0.

    `began_at` is when its search began, in `loop.time()` seconds; `size_bytes` is what was read.
    """

    gist: Gist
    place: Place
    number: int
    began_at: float | None = None
    size_bytes: int = 0
    outcome: Outcome | None = None
    released: bool = False

    def is_beyond(self, other: Slot) -> bool:
        """Whether this gist comes after another in the listings; those of one second do not."""
        if self.place is not other.place and self.place != other.place:  # mostly one object
            return self.place > other.place
        return self.gist.created_at < other.gist.created_at


class ReorderBuffer:
    """Holds the gists of one search until they are decided and released. Used only on the loop.

    Invariants: `_slots` are in listing order; slots are begun in listing order; `_last` holds the
    farthest of the slots that have left, all of one second.
    """

    def __init__(self, cursor: Cursor, limit: int | None) -> None:
        self._start = cursor
        self._last: list[Slot] = []
        self._awaited = set(cursor.owed)  # owed gists that the listing has not shown yet
        self._anchor_seen = False
        self._goes_on = cursor != Cursor()
        self._limit = limit
        self._slots: deque[Slot] = deque()
        self.listed = 0
        self.done = 0
        self.decided = 0  # by this search; `done` includes those of earlier answers
        self.matches = 0

    @property
    def is_full(self) -> bool:
        """Whether as many matches were released as the limit allows."""
        return self._limit is not None and self.matches >= self._limit

    @property
    def is_empty(self) -> bool:
        """Whether every gist listed so far is decided and released."""
        return not self._slots

    def add(self, place: Place, gist: Gist) -> Slot | None:
        """Append a gist of the listing; returns None if an earlier answer has decided it."""
        self.listed += 1
        if self._goes_on and self._is_covered(place, gist):
            if gist.id not in self._start.owed:
                self.done += 1
                return None
            self._awaited.discard(gist.id)
        elif self._awaited and place >= self._start.place:
            self._awaited.clear()  # the listing is past the far end: they were deleted
        slot = Slot(gist, place, self.listed - 1)
        self._slots.append(slot)
        return slot

    def _is_covered(self, place: Place, gist: Gist) -> bool:
        start = self._start
        if start.anchors and place == start.place and gist.created_at == start.before:
            if gist.id in start.anchors:
                self._anchor_seen = True
                return True
            return not self._anchor_seen
        return start.covers(place, gist)

    def begin(self, slot: Slot, now: float) -> None:
        """Mark a gist as begun, in listing order; `now` in `loop.time()` seconds."""
        slot.began_at = now

    def complete(self, slot: Slot, outcome: Outcome) -> list[Match | Incomplete]:
        """Record the outcome of a gist; return the results that can now be released."""
        slot.outcome = outcome
        self.done += 1
        self.decided += 1
        released: list[Match | Incomplete] = []
        if self._limit is None:
            released += self._release(slot)
        if self._slots[0] is slot:
            self._release_ready(released)
        else:  # it stays until earlier ones are decided: drop its files
            slot.gist = replace(slot.gist, files=())
        return released

    def complete_without(self, slots: Sequence[Slot]) -> list[Match | Incomplete]:
        """Record gists that have no result; return the results that can now be released."""
        for slot in slots:
            slot.outcome = NOTHING
            slot.released = self._limit is None
        self.done += len(slots)
        self.decided += len(slots)
        released: list[Match | Incomplete] = []
        self._release_ready(released)
        first = self._slots[0].number if self._slots else self.listed
        for slot in slots:
            if slot.number >= first:
                slot.gist = replace(slot.gist, files=())
        return released

    def _release_ready(self, released: list[Match | Incomplete]) -> None:
        """Remove the decided gists at the front; add their results that were not released yet."""
        slots = self._slots
        while slots and slots[0].outcome is not None and not self.is_full:
            slot = slots.popleft()
            self._pass(slot)
            released += self._release(slot)

    def _pass(self, slot: Slot) -> None:
        """Remember a slot that leaves the buffer if none that left comes after it."""
        if not self._last or slot.is_beyond(self._last[0]):
            self._last = [slot]
        elif not self._last[0].is_beyond(slot):
            self._last.append(slot)

    def flush(self) -> Iterator[Match | Incomplete]:
        """Yield the results that wait for an undecided gist. For a search that stops early."""
        for slot in self._slots:
            if self.is_full:
                return
            if slot.outcome is not None:
                yield from self._release(slot)

    def _release(self, slot: Slot) -> Sequence[Match | Incomplete]:
        if slot.released or slot.outcome is None:
            return ()
        slot.released = True
        outcome, slot.outcome = slot.outcome, NOTHING  # frees the match: the slot may stay
        if outcome.match is None:
            return outcome.incomplete
        self.matches += 1
        return (outcome.match,)

    def undecided(self) -> Iterator[Slot]:
        """Yield the gists that were begun and are not decided, in listing order."""
        return (slot for slot in self._slots if slot.began_at is not None and slot.outcome is None)

    def cursor(self) -> tuple[Cursor, list[Slot]]:
        """Return the cursor from which the search continues, and the gists that it cannot name.

        Those are owed gists beyond MAX_OWED. Only a listing that shows many gists late has them.
        """
        slots = list(self._slots)
        end = self._begun_up_to(slots)
        far = replace(self._start, owed=frozenset(), tried=None, tries=0)
        for slot in (*self._last, *slots[:end]):
            far = far.after(slot.place, slot.gist)
        owed = [slot for slot in slots[:end] if not slot.released]
        late = [
            slot for slot in slots[end:] if not slot.released and far.covers(slot.place, slot.gist)
        ]
        room = MAX_OWED - len(self._awaited) - len(owed)
        owed += late[:room]
        floor = min((slot.place for slot in owed), default=far.place)
        if self._awaited:
            floor = min(floor, self._start.floor)
        ids = self._awaited | {slot.gist.id for slot in owed}
        return replace(far, owed=frozenset(ids), floor=floor), late[room:]

    def _begun_up_to(self, slots: list[Slot]) -> int:
        """Return the number of slots up to the far end; at the limit, that is the last match."""
        if self.is_full:
            return max((n for n, slot in enumerate(slots, 1) if slot.released), default=0)
        open_slots = (
            n for n, slot in enumerate(slots) if slot.began_at is None and not slot.released
        )
        return next(open_slots, len(slots))
