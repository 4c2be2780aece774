"""One search: a group of tasks under one timeout, which sends its events to the caller.

The session owns its state, on the loop: no lock guards it and no other module writes into it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from gistapi.aio.limiter import WorkWindow
from gistapi.aio.portal import Outbox
from gistapi.errors import GistapiError, GithubTimeoutError, OverloadedError
from gistapi.models import (
    Begin,
    End,
    Incomplete,
    Match,
    Page,
    Progress,
    Query,
    Searched,
    SearchEvent,
)
from gistapi.search import cursor as cursors
from gistapi.search.cursor import Cursor, Place
from gistapi.search.gist_state import GistState
from gistapi.search.reader import Reader
from gistapi.search.reorder import Outcome, ReorderBuffer, Slot
from gistapi.search.stop import Full, Stop, cause, stop_of
from gistapi.search.tally import TargetTally
from gistapi.search.targets import Listed, listed

PROGRESS_SECONDS = 1.0
BEGIN_SECONDS = 2.0
"""How long a search waits for the first page before it sends Begin without one."""
WINDOW = 64
"""Gists that may be undecided at once."""
TOGETHER = 16
"""Gists that are begun together if there are as many: the cache is read once for all of them."""
TOGETHER_SECONDS = 0.02
NEARLY_ALL = 0.9
"""Of a search's time or bytes: what a gist has used by itself when it is given up."""
OWED_BY_LIMIT = 32
"""Gists that a limit of GitHub's leaves undecided before the search stops looking for others."""


@dataclass(frozen=True, slots=True)
class SearchBounds:
    """How much one search may decide and read, what the cache has included."""

    gists: int = 10_000
    files: int = 100_000
    size_bytes: int = 2**30


class Session:
    """One search in progress. `run` sends its events to `outbox`."""

    def __init__(
        self,
        query: Query,
        start: Cursor,
        bounds: SearchBounds,
        deadline_seconds: float,
        outbox: Outbox[SearchEvent],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._began_at = self._loop.time()
        self._query = query
        self._start = start
        self._bounds = bounds
        self._deadline_seconds = deadline_seconds
        self._outbox = outbox
        self.buffer = ReorderBuffer(start, query.limit)
        self.files_done = 0
        self.bytes_done = 0
        self.partial = False
        self._tally = TargetTally(query.targets)
        self._window = WorkWindow(WINDOW)
        self._stopped: asyncio.Future[Stop] = self._loop.create_future()
        self._has_begun = False
        self._has_listed = False
        self._is_listed = False
        self._remarked: set[Place] = set()
        self._alone: Slot | None = None
        self._soft: Stop | None = None
        self._limited: Stop | None = None
        self._owed_by_limit = 0

    @property
    def ends_at(self) -> float:
        """The deadline in `loop.time()` seconds."""
        return self._began_at + self._deadline_seconds

    @property
    def elapsed_seconds(self) -> float:
        """How long the search has run."""
        return self._loop.time() - self._began_at

    def stop(self, stop: Stop) -> None:
        """End the search as it is."""
        if not self._stopped.done():
            self._stopped.set_result(stop)

    def count(self, slot: Slot, files: int, size_bytes: int) -> None:
        """Count what was read for a gist. Raises Stop when the search has read too much."""
        self.files_done += files
        self.bytes_done += size_bytes
        slot.size_bytes += size_bytes
        if self.files_done > self._bounds.files or self.bytes_done > self._bounds.size_bytes:
            raise Stop.too_large()

    async def run(self, reader: Reader) -> None:
        """Search. Raises what the search as a whole failed with, if nothing was found before."""
        stop: Stop | None = None
        limit = asyncio.timeout_at(self.ends_at)
        try:
            async with limit:
                await self._search(reader)
        except TimeoutError:
            stop = Stop.deadline()
        except BaseExceptionGroup as group:
            # A child that fails while it is cancelled turns the TimeoutError into a group.
            stop = Stop.deadline() if limit.expired() else _stop_or_raise(cause(group))
        if stop is not None and not isinstance(stop, Full):
            self._end_early(stop)
        self._send_end(self._tried(stop))

    async def _search(self, reader: Reader) -> None:
        async with asyncio.TaskGroup() as group:
            helpers = [
                group.create_task(self._send_progress(), name="progress"),
                group.create_task(self._watch(), name="stop"),
            ]
            async with asyncio.TaskGroup() as gists:
                await self._feed(reader, group, gists)
            for task in helpers:
                task.cancel()
            stop = self._soft or self._limited
            if stop is not None:
                raise stop
        if self._tally.is_reported and self._tally.error is not None:
            raise self._tally.error

    async def _watch(self) -> None:
        raise await self._stopped

    async def _feed(
        self, reader: Reader, group: asyncio.TaskGroup, gists: asyncio.TaskGroup
    ) -> None:
        """Begin every wanted gist of every page, as the window has room."""
        floor = self._start.floor
        pages = listed(reader.source, self._query.targets, floor, reader.scope, group)
        async with aclosing(pages):
            async for item in pages:
                if item.page is None:
                    self._end_listing(item)
                else:
                    await self._begin_page(reader, item.place, item.page, gists)
                if self._soft is not None:
                    return
        self._is_listed = True

    def _end_listing(self, item: Listed) -> None:
        """One user's failure ends the search; one of several targets' failure does not."""
        if item.error is None:
            return
        stop = stop_of(item.error)
        if self._tally.is_reported and stop.reason == "listing_unavailable":
            self._tally.failed(item.place.target, item.error)
        elif not self._has_listed:
            raise item.error
        else:
            self._soft = stop

    async def _begin_page(
        self, reader: Reader, place: Place, page: Page, gists: asyncio.TaskGroup
    ) -> None:
        self._has_listed = True
        self._begin()
        self._send(_remarks(page, is_first=place not in self._remarked))
        self._remarked.add(place)
        wanted: list[GistState] = []
        for gist in page.gists:
            self._tally.listed(place.target)
            slot = self.buffer.add(place, gist)
            if slot is None:
                self._tally.decided(place.target, None)
                continue
            state = reader.prepare(slot)
            if state is None:
                self._complete(slot, Outcome())
            else:
                wanted.append(state)
        while wanted and self._soft is None:
            await self._outbox.room()
            some = await self._admit(wanted)
            del wanted[: len(some)]
            name = f"gists from number {some[0].slot.number}"
            if some[0].slot is self._alone:
                await self._search_alone(reader, some[0])
            else:
                gists.create_task(self._search_gists(reader, some, gists), name=name)

    async def _admit(self, wanted: Sequence[GistState]) -> Sequence[GistState]:
        """Take as many gists as the window has room for; the one tried before comes alone."""
        if self.buffer.decided >= self._bounds.gists:
            raise Stop.too_large()
        tried = [state.slot.gist.id == self._start.tried for state in wanted]
        if tried[0]:
            await self._window.take_all()
            self._alone = wanted[0].slot
            some = wanted[:1]
        else:
            most = tried.index(True) if True in tried else len(wanted)
            some = wanted[: await self._window.take(most, TOGETHER, TOGETHER_SECONDS)]
        for state in some:
            self.buffer.begin(state.slot, self._loop.time())
        return some

    async def _search_alone(self, reader: Reader, state: GistState) -> None:
        """Search the gist that an earlier answer could not finish, with nothing beside it."""
        await reader.read_cached([state])
        self._complete(state.slot, await reader.read(state))
        self._alone = None
        self._window.release(WINDOW)

    async def _search_gists(
        self, reader: Reader, states: Sequence[GistState], gists: asyncio.TaskGroup
    ) -> None:
        """Search what the cache has of these gists together, and the rest gist by gist."""
        await reader.read_cached(states)
        for state in states:
            if reader.needs_reading(state):
                name = f"gist {state.slot.gist.id}"
                gists.create_task(self._search_gist(reader, state), name=name)
            else:
                self._complete(state.slot, state.outcome())
                self._window.release()

    async def _search_gist(self, reader: Reader, state: GistState) -> None:
        try:
            outcome = await reader.read(state)
        except (GistapiError, BaseExceptionGroup) as error:
            self._leave_open(_stop_or_raise(cause(error)))
        else:
            self._complete(state.slot, outcome)
            self._window.release()

    def _leave_open(self, stop: Stop) -> None:
        """Leave a gist undecided because of a limit.

        After a limit of the caller's nothing more is begun; what is being read was paid for, and is
        waited for. After GitHub's, what the cache has is still searched.
        """
        if stop.error is None:
            raise stop
        if stop.lets_work_end:
            self._soft = self._soft or stop
            return
        self._limited = self._limited or stop
        self._owed_by_limit += 1
        if self._owed_by_limit >= OWED_BY_LIMIT:
            self._soft = self._soft or stop

    def _complete(self, slot: Slot, outcome: Outcome) -> None:
        self._tally.decided(slot.place.target, outcome)
        self._send(self.buffer.complete(slot, outcome))
        if self.buffer.is_full:
            raise Full

    def _send(self, events: Iterable[Match | Incomplete]) -> None:
        for event in events:
            self.partial |= isinstance(event, Incomplete)
            self._outbox.send(event)

    def _begin(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._outbox.send(Begin())

    async def _send_progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            if self.elapsed_seconds >= BEGIN_SECONDS:
                self._begin()
            if self._has_begun:
                total = self.buffer.listed if self._is_listed else None
                done = self.buffer.done
                self._outbox.send(Progress(done, total, self.files_done, self.bytes_done))

    def _end_early(self, stop: Stop) -> None:
        """Send what a search that stops before its end has to say."""
        if not self._has_listed:
            raise _without_listing(stop)
        self._send(self.buffer.flush())
        if self.buffer.is_full:
            return
        alone = self._alone
        if alone is not None and stop.blames is not None and self._is_used_up(alone):
            given_up = Incomplete(alone.gist.html_url, None, stop.reason, stop.blames)
            self._alone = None
            self._send(self.buffer.complete(alone, Outcome(None, (given_up,))))
        elif stop.error is not None and not self.buffer.decided:
            raise stop.error
        self._send([Incomplete(None, None, stop.reason, stop.message)])

    def _is_used_up(self, alone: Slot) -> bool:
        """Whether a gist used nearly all of a search by itself, or several searches in vain."""
        seconds = self._loop.time() - (alone.began_at or 0.0)
        return (
            seconds >= NEARLY_ALL * self._deadline_seconds
            or alone.size_bytes >= NEARLY_ALL * self._bounds.size_bytes
            or self._start.tries >= cursors.MAX_TRIES
        )

    def _tried(self, stop: Stop | None) -> tuple[str | None, int]:
        """The owed gist that comes alone in the next search, and how many searches it has had."""
        undecided = [slot.gist.id for slot in self.buffer.undecided()]
        if self._start.tried in undecided:
            return self._start.tried, self._start.tries + (self._alone is not None)
        if stop is None or stop.blames is None or not undecided:
            return None, 0
        return undecided[0], 1

    def _send_end(self, tried: tuple[str | None, int]) -> None:
        following = None
        if not (self._is_listed and self.buffer.is_empty):
            following = self._cursor(*tried)
        if self._tally.is_reported:
            for end in self._tally.ends():
                self.partial |= end.partial
                self._outbox.send(end)
        searched = Searched(self.buffer.decided, self.files_done, self.bytes_done)
        matches = self.buffer.matches
        self._outbox.send(End(self.partial, matches, following, self.elapsed_seconds, searched))

    def _cursor(self, tried: str | None, tries: int) -> str:
        cursor, left_out = self.buffer.cursor()
        cursor = replace(cursor, tried=tried, tries=tries)
        for slot in left_out:
            message = "GitHub listed the gist too late to be searched."
            self._send([Incomplete(slot.gist.html_url, None, "listing_unavailable", message)])
        return cursors.encode(cursor, self._query)


def _stop_or_raise(error: BaseException) -> Stop:
    if isinstance(error, Stop):
        return error
    if isinstance(error, GistapiError):
        return stop_of(error)
    raise error from None


def _without_listing(stop: Stop) -> GistapiError:
    if stop.error is not None:
        return stop.error
    if stop.reason == "shutting_down":
        return OverloadedError("The service is stopping.", 1.0)
    return GithubTimeoutError("GitHub did not list the gists before the search's deadline.")


def _remarks(page: Page, *, is_first: bool) -> Iterator[Incomplete]:
    if page.stale_seconds is not None and is_first:
        age = f"GitHub cannot be reached. The list of gists is {page.stale_seconds:.0f} s old."
        yield Incomplete(None, None, "stale_listing", age)
    if page.unreadable:
        missing = f"GitHub listed {page.unreadable} gists without an address."
        yield Incomplete(None, None, "listing_unavailable", missing)
