"""One search: a group of tasks under one timeout, which sends its events to the caller.

The session owns its state, on the loop: no lock guards it and no other module writes into it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from gistapi.aio.portal import Outbox
from gistapi.errors import GistapiError, GithubTimeoutError, OverloadedError
from gistapi.models import (
    End,
    Incomplete,
    Progress,
    Query,
    Searched,
    SearchEvent,
)
from gistapi.search import cursor as cursors
from gistapi.search.cursor import Cursor
from gistapi.search.feeder import Feeder
from gistapi.search.reader import Reader
from gistapi.search.reorder import Outcome, ReorderBuffer, Slot
from gistapi.search.sender import Sender
from gistapi.search.share import AnswerShare
from gistapi.search.stop import Full, Stop, cause, stop_or_raise

PROGRESS_SECONDS = 1.0
BEGIN_SECONDS = 2.0
"""How long a search waits for the first page before it sends Begin without one."""
NEARLY_ALL = 0.9
"""Of a search's time or bytes: what a gist has used by itself when it is given up."""


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
        share: AnswerShare,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._began_at = self._loop.time()
        self._query = query
        self._start = start
        self._bounds = bounds
        self._deadline_seconds = deadline_seconds
        self._share = share
        self._sender = Sender(outbox, share)
        self.buffer = ReorderBuffer(start, query.limit)
        self.files_done = 0
        self.bytes_done = 0
        self._stopped: asyncio.Future[Stop] = self._loop.create_future()

    @property
    def ends_at(self) -> float:
        """The deadline in `loop.time()` seconds."""
        return self._began_at + self._deadline_seconds

    @property
    def partial(self) -> bool:
        """Whether something could not be searched."""
        return self._sender.partial

    @property
    def elapsed_seconds(self) -> float:
        """How long the search has run."""
        return self._loop.time() - self._began_at

    def stop(self, stop: Stop) -> None:
        """End the search with what it has."""
        if not self._stopped.done():
            self._stopped.set_result(stop)

    def count(self, files: int, size_bytes: int) -> None:
        """Count what was read. Raises Stop when the search has read too much."""
        self.files_done += files
        self.bytes_done += size_bytes
        if self.files_done > self._bounds.files or self.bytes_done > self._bounds.size_bytes:
            raise Stop.too_large()

    async def run(self, reader: Reader) -> None:
        """Search. Raises what the search as a whole failed with, if nothing was found before."""
        self._feeder = Feeder(
            self._query, self._start, reader, self.buffer, self._sender, self._bounds.gists
        )
        try:
            await self._run()
        finally:
            del self._feeder  # its reader counts by this session, which would hold both

    async def _run(self) -> None:
        stop: Stop | None = None
        limit = asyncio.timeout_at(self.ends_at)
        try:
            async with limit:
                await self._search()
        except TimeoutError:
            stop = Stop.deadline()
        except BaseExceptionGroup as group:
            # A child that fails while it is cancelled turns the TimeoutError into a group.
            stop = Stop.deadline() if limit.expired() else stop_or_raise(cause(group))
        if stop is not None and not isinstance(stop, Full):
            self._end_early(stop)
        self._send_end(self._tried(stop))

    async def _search(self) -> None:
        async with asyncio.TaskGroup() as group:
            helper = group.create_task(self._watch(), name="progress")
            async with asyncio.TaskGroup() as gists:
                await self._feeder.feed(group, gists)
            helper.cancel()
            if self._feeder.stop is not None:
                raise self._feeder.stop
        if not self.buffer.is_empty:  # a task group takes a cancelled task for one that has ended
            raise RuntimeError("a gist was left without an outcome")
        tally = self._feeder.tally
        if tally.is_reported and tally.error is not None:
            raise tally.error

    async def _watch(self) -> None:
        """Send the progress, until the search is to stop."""
        while True:
            await asyncio.wait((self._stopped,), timeout=PROGRESS_SECONDS)
            if self._stopped.done():
                raise self._stopped.result()
            if self.elapsed_seconds >= BEGIN_SECONDS:
                self._sender.begin()
            if self._sender.has_begun:
                total = self.buffer.listed if self._feeder.is_listed else None
                done = self.buffer.done
                self._sender.send(Progress(done, total, self.files_done, self.bytes_done))

    def _end_early(self, stop: Stop) -> None:
        """Send the last events of a search that stops before its end."""
        if not self._feeder.has_listed:
            raise _without_listing(stop)
        self._sender.send_all(self.buffer.flush())
        if self.buffer.is_full:
            return
        alone = self._feeder.alone
        if alone is not None and stop.blames is not None and self._is_used_up(alone):
            given_up = Incomplete(alone.gist.html_url, None, stop.reason, stop.blames)
            self._feeder.alone = None
            self._sender.send_all(self.buffer.complete(alone, Outcome(None, (given_up,))))
        elif stop.error is not None and not self.buffer.decided:
            raise stop.error
        self._sender.send(Incomplete(None, None, stop.reason, stop.message))

    def _is_used_up(self, alone: Slot) -> bool:
        """Whether a gist used nearly all of a search by itself, or several searches, undecided."""
        seconds = self._loop.time() - (alone.began_at or 0.0) - self._share.waited_seconds
        return (
            seconds >= NEARLY_ALL * self._deadline_seconds
            or alone.size_bytes >= NEARLY_ALL * self._bounds.size_bytes
            or (self._start.tries >= cursors.MAX_TRIES and not self._has_waited)
        )

    @property
    def _has_waited(self) -> bool:
        """Whether other searches took so much of the time that no gist is to blame."""
        return self._share.waited_seconds > (1 - NEARLY_ALL) * self._deadline_seconds

    def _tried(self, stop: Stop | None) -> tuple[str | None, int]:
        """The owed gist that comes alone in the next search, and how many searches it has had."""
        undecided = [slot.gist.id for slot in self.buffer.undecided()]
        if self._start.tried in undecided:
            tries = self._start.tries + (self._feeder.alone is not None and not self._has_waited)
            return self._start.tried, min(tries, cursors.MAX_TRIES)
        if stop is None or stop.blames is None or not undecided:
            return None, 0
        return undecided[0], 1

    def _send_end(self, tried: tuple[str | None, int]) -> None:
        following = None
        if not (self._feeder.is_listed and self.buffer.is_empty):
            following = self._cursor(*tried)
        if self._feeder.tally.is_reported:
            for end in self._feeder.tally.ends():
                self._sender.partial |= end.partial
                self._sender.send(end)
        age = int(self._sender.listing_age_seconds)
        searched = Searched(self.buffer.decided, self.files_done, self.bytes_done, age)
        matches = self.buffer.matches
        self._sender.send(End(self.partial, matches, following, self.elapsed_seconds, searched))

    def _cursor(self, tried: str | None, tries: int) -> str:
        cursor, left_out = self.buffer.cursor()
        cursor = replace(cursor, tried=tried, tries=tries)
        for slot in left_out:
            message = "GitHub listed the gist too late to be searched."
            self._sender.send(Incomplete(slot.gist.html_url, None, "listing_unavailable", message))
        return cursors.encode(cursor, self._query)


def _without_listing(stop: Stop) -> GistapiError:
    if stop.error is not None:
        return stop.error
    if stop.reason == "shutting_down":
        return OverloadedError("The service is stopping.", 1.0)
    return GithubTimeoutError("GitHub did not list the gists before the search's deadline.")
