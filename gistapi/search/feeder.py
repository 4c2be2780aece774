"""Feeds the gists of a listing to the reader, within a window of undecided gists."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

from gistapi.aio.limiter import WorkWindow
from gistapi.errors import GistapiError
from gistapi.models import Incomplete, Match, Page, Query
from gistapi.search.cached_reader import read_cached
from gistapi.search.cursor import Cursor, Place
from gistapi.search.gist_state import GistState
from gistapi.search.reader import Reader
from gistapi.search.reorder import NOTHING, Outcome, ReorderBuffer, Slot
from gistapi.search.sender import Sender
from gistapi.search.sizes import outcome_bytes
from gistapi.search.stop import Full, Stop, cause, stop_of, stop_or_raise
from gistapi.search.tally import TargetTally
from gistapi.search.targets import Listed, listed

WINDOW = 64
"""Gists that may be undecided at once."""
TOGETHER = 32
"""Gists that are begun together if there are as many: the cache is read once for all of them."""
TOGETHER_SECONDS = 0.02
FILES_IN_HAND = 600
"""The most undecided gists and files of theirs with which a search begins more gists.

A part of a listing adds up to 600, a few hundred kB. 64 gists may have 19,200 files.
"""
OWED_BY_LIMIT = 32
"""Gists that a limit of GitHub's leaves undecided before the search stops looking for others."""


class Feeder:
    """Begins the gists of one search and completes them. For the loop alone.

    `has_listed` is true once a page came, `is_listed` once all did. `alone` is the gist that is
    searched with nothing beside it.
    """

    def __init__(
        self,
        query: Query,
        start: Cursor,
        reader: Reader,
        buffer: ReorderBuffer,
        sender: Sender,
        max_gists: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._query = query
        self._start = start
        self._reader = reader
        self._buffer = buffer
        self._sender = sender
        self._max_gists = max_gists
        self._window = WorkWindow(WINDOW)
        self._files = 0
        self._fewer_files = asyncio.Event()
        self.tally = TargetTally(query.targets)
        self.has_listed = False
        self.is_listed = False
        self.alone: Slot | None = None
        self._soft: Stop | None = None
        self._limited: Stop | None = None
        self._owed_by_limit = 0

    @property
    def stop(self) -> Stop | None:
        """Why not all gists were begun or decided, once `feed` and its tasks have ended."""
        return self._soft or self._limited

    async def feed(self, group: asyncio.TaskGroup, gists: asyncio.TaskGroup) -> None:
        """Begin every wanted gist of every page, as the window has room.

        Listings run in `group`, gists in `gists`. Raises Stop, and a listing's error if nothing was
        listed before it.
        """
        floor = self._start.floor
        reader = self._reader
        ahead = reader.shared.ahead
        pages = listed(reader.source, self._query.targets, floor, reader.scope, ahead, group)
        async with aclosing(pages):
            async for item in pages:
                if item.page is None:
                    self._end_listing(item)
                else:
                    await self._few_files()
                    await self._begin_page(item.place, item.page, gists)
                if self._soft is not None:
                    return
        self.is_listed = True

    def _end_listing(self, item: Listed) -> None:
        """One user's failure ends the search; one of several targets' failure does not."""
        if item.error is None:
            return
        stop = stop_of(item.error)
        if self.tally.is_reported and stop.reason == "listing_unavailable":
            self.tally.failed(item.place.target, item.error)
        elif not self.has_listed:
            raise item.error
        else:
            self._soft = stop

    async def _begin_page(self, place: Place, page: Page, gists: asyncio.TaskGroup) -> None:
        self.has_listed = True
        self._sender.begin()
        self._sender.remark(place, page)
        wanted: list[GistState] = []
        excluded: list[Slot] = []
        self.tally.listed(place.target, len(page.gists))
        for gist in page.gists:
            slot = self._buffer.add(place, gist)
            if slot is None:
                self.tally.decided(place.target, None)
                continue
            self._files += 1 + len(gist.files)
            state = self._reader.prepare(slot)
            if state is None:
                excluded.append(slot)
            else:
                wanted.append(state)
        if excluded:
            self._complete_without(excluded)
        while wanted and self._soft is None:
            await self._sender.room()
            some = await self._admit(wanted)
            del wanted[: len(some)]
            name = f"gists from number {some[0].slot.number}"
            if some[0].slot is self.alone:
                await self._search_alone(some[0])
            else:
                gists.create_task(self._search_gists(some, gists), name=name)

    async def _few_files(self) -> None:
        """Wait until few files of gists that are being searched are in memory."""
        while self._files > FILES_IN_HAND:
            self._fewer_files.clear()
            await self._fewer_files.wait()

    async def _admit(self, wanted: Sequence[GistState]) -> Sequence[GistState]:
        """Take as many gists as the window has room for; the one tried before comes alone."""
        if self._buffer.decided >= self._max_gists:
            raise Stop.too_large()
        most = len(wanted)
        if self._start.tried is not None:
            ids = [state.slot.gist.id for state in wanted]
            most = ids.index(self._start.tried) if self._start.tried in ids else most
        if most == 0:
            await self._window.take_all()
            self.alone = wanted[0].slot
            some = wanted[:1]
        else:
            some = wanted[: await self._window.take(most, TOGETHER, TOGETHER_SECONDS)]
        now = self._loop.time()
        for state in some:
            self._buffer.begin(state.slot, now)
        return some

    async def _search_alone(self, state: GistState) -> None:
        """Search the gist that an earlier answer could not finish, without others."""
        self._reader.share.is_alone = True
        await read_cached(self._reader, [state], lambda _: None)
        self._complete(state.slot, await self._reader.read(state))
        self._reader.share.is_alone = False
        self.alone = None
        self._window.release(WINDOW)

    async def _search_gists(self, states: Sequence[GistState], gists: asyncio.TaskGroup) -> None:
        """Search what the cache has of these gists together, and the rest gist by gist."""
        for state in await read_cached(self._reader, states, self._decide):
            name = f"gist {state.slot.gist.id}"
            gists.create_task(self._search_gist(state), name=name)

    def _decide(self, states: Sequence[GistState]) -> None:
        """Complete gists: as a rule most have no match, and are completed together."""
        without: list[Slot] = []
        others: list[tuple[Slot, Outcome]] = []
        for state in states:
            outcome = state.outcome()
            if outcome is NOTHING:
                without.append(state.slot)
            else:
                others.append((state.slot, outcome))
        if without:
            self._complete_without(without)
        for slot, outcome in others:
            self._complete(slot, outcome)
        self._window.release(len(states))

    async def _search_gist(self, state: GistState) -> None:
        try:
            outcome = await self._reader.read(state)
        except (GistapiError, BaseExceptionGroup) as error:
            self._leave_open(state.slot, stop_or_raise(cause(error)))
        else:
            self._complete(state.slot, outcome)
            self._window.release()

    def _leave_open(self, slot: Slot, stop: Stop) -> None:
        """Leave a gist undecided because of a limit.

        After a limit of the caller's nothing more is begun; what is being read was paid for, and is
        waited for. After GitHub's, what the cache has is still searched.
        """
        if stop.error is None:
            raise stop
        self._end_files(1 + len(slot.gist.files))
        slot.gist = replace(slot.gist, files=())  # it stays undecided to the end
        if stop.lets_work_end:
            self._soft = self._soft or stop
            return
        self._limited = self._limited or stop
        self._owed_by_limit += 1
        if self._owed_by_limit >= OWED_BY_LIMIT:
            self._soft = self._soft or stop

    def _end_files(self, count: int) -> None:
        before = self._files
        self._files -= count
        if self._files <= FILES_IN_HAND < before:
            self._fewer_files.set()

    def _complete(self, slot: Slot, outcome: Outcome) -> None:
        self._end_files(1 + len(slot.gist.files))
        self._reader.share.keep(slot.number, outcome_bytes(outcome))
        if outcome.match is not None:
            self._sender.count_hits(outcome.match)
        self.tally.decided(slot.place.target, outcome)
        self._release(self._buffer.complete(slot, outcome))

    def _complete_without(self, slots: Sequence[Slot]) -> None:
        """Complete gists of one page that have neither a match nor a gap."""
        self._end_files(len(slots) + sum(len(slot.gist.files) for slot in slots))
        self.tally.decided(slots[0].place.target, NOTHING, len(slots))
        self._release(self._buffer.complete_without(slots))

    def _release(self, released: Sequence[Match | Incomplete]) -> None:
        if released:
            self._sender.send_all(released)
            if self._buffer.is_full:
                raise Full
