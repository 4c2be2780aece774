"""The use case: which gists match a pattern?

`Searcher` runs searches on the event loop and passes their events to threads. May import `errors`,
`models`, `events`, `aio` and `matching`; `app` provides GitHub and the cache.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Iterator
from functools import lru_cache, partial

from gistapi.aio.executors import Threads
from gistapi.aio.growing import GrowingBudget
from gistapi.aio.limiter import FairLimiter
from gistapi.aio.portal import Outbox, Portal
from gistapi.aio.scope import UNMETERED, Scope, UsageMeter
from gistapi.errors import DeadlineError, GistapiError, OverloadedError
from gistapi.events import Observer, SearchEnded
from gistapi.matching import Matching, Wanted, compile_pattern, is_plain
from gistapi.models import Match, Query, SearchEvent
from gistapi.search import cursor as cursors
from gistapi.search.file_text import FileText, read_file
from gistapi.search.filters import Filter
from gistapi.search.reader import Reader, Resources
from gistapi.search.session import SearchBounds, Session
from gistapi.search.share import AnswerShare
from gistapi.search.source import ContentStore, GistSource
from gistapi.search.stop import GO_ON, Stop

__all__ = ["SearchBounds", "Searcher"]

MAX_COMPILED = 16
"""Compiled patterns that are kept: a search continued by its cursor compiles its pattern once."""
CONTENT_BYTES, SMALL_CONTENT_BYTES = 48 * 2**20, 16 * 2**20
"""Memory of all searches for contents, and for the matches that are being found in them.

The second is for small claims: they do not wait until a slow pattern's megabytes are searched.
"""
ANSWER_BYTES = 96 * 2**20
"""Memory of all searches for unsent results, in addition to `share.FREE_BYTES` for each search."""
MOST_ANSWER_BYTES = 40 * 2**20
"""Maximum of that for one search: `sender.MAX_CHARACTERS` at four bytes, `sender.MAX_HITS`."""
CACHE_THREADS = 4


class RunningSearch(Iterator[SearchEvent]):
    """Iterator over the events of one search. Close it once the answer has been sent.

    Matches occupy memory until then; with `kept` false, each only until the next event is read.
    """

    def __init__(
        self, events: Generator[SearchEvent], portal: Portal, share: AnswerShare, *, kept: bool
    ) -> None:
        self._events = events
        self._portal = portal
        self._share = share
        self._kept = kept
        self._sending: int | None = None
        self._is_released = False

    def __next__(self) -> SearchEvent:
        if self._sending is not None:
            self._portal.soon(partial(self._share.forget, self._sending))
        try:
            event = next(self._events)
        except StopIteration:
            self._is_released = self._kept and not self._share.holds_budget  # the task has ended
            raise
        self._sending = event.number if isinstance(event, Match) and not self._kept else None
        return event

    def close(self) -> None:
        """Stop the search and its downloads, and release the memory of its results. Idempotent."""
        self._events.close()
        self._release()

    def __del__(self) -> None:
        self._release()

    def _release(self) -> None:
        if not self._is_released:
            self._is_released = True
            self._portal.soon(self._share.release)


class Searcher:
    """Runs searches, many of them concurrently, on one event loop.

    `limiter` bounds the requests to GitHub; `deadline_seconds` and `bounds` bound each search;
    `max_searches` is the number of searches that may run at once.
    """

    def __init__(
        self,
        source: GistSource,
        contents: ContentStore,
        matching: Matching,
        limiter: FairLimiter,
        portal: Portal,
        *,
        deadline_seconds: float,
        max_searches: int,
        bounds: SearchBounds,
        observe: Observer,
    ) -> None:
        self._compile = lru_cache(maxsize=MAX_COMPILED)(compile_pattern)
        self._source = source
        self._matching = matching
        self._limiter = limiter
        self._portal = portal
        self._cache_threads = Threads(CACHE_THREADS, "gistapi-cache")
        self._compiler = Threads(1, "gistapi-compile")
        self._shared = Resources(
            contents,
            self._cache_threads,
            FairLimiter(CONTENT_BYTES),
            FairLimiter(SMALL_CONTENT_BYTES),
        )
        self._answers = GrowingBudget(ANSWER_BYTES, MOST_ANSWER_BYTES)
        self._deadline_seconds = deadline_seconds
        self._max_searches = max_searches
        self._bounds = bounds
        self._observe = observe
        self._changed = threading.Condition()
        self._admitted = 0
        self._sessions: set[Session] = set()
        self._stopping = False

    def search(
        self,
        query: Query,
        *,
        meter: UsageMeter = UNMETERED,
        caller: str = "",
        caller_token: str | None = None,
        kept: bool = True,
    ) -> RunningSearch:
        """Start a search and return its events: Begin, then the others in any order, and End last.

        With `query.limit`, matches are in the order of the listing, otherwise in the order in which
        they are found. Searches of the same `caller` share one turn at the limiter. Close the
        iterator once the answer has been sent: its results occupy memory until then. With `kept`
        false, a match does so only until the next event is requested, and the search runs only a
        little ahead of its reader. Closing the iterator earlier stops the search.

        The iterator raises OverloadedError, InvalidCursorError or InvalidPatternError before the
        first request to GitHub. If nothing could be searched, it raises GithubError or a subclass,
        RateLimitedError or ByteQuotaError.
        """
        share = AnswerShare(self._answers, kept=kept)

        async def run(outbox: Outbox[SearchEvent]) -> None:
            self._admit()
            try:
                start = cursors.decode(query)
                session = Session(query, start, self._bounds, self._deadline_seconds, outbox, share)
                lane = self._limiter.lane(caller)
                scope = Scope(lane, session.ends_at, meter, caller_token)
                await self._run(query, session, scope, share)
            finally:
                self._leave()

        events = self._portal.stream(run, name="search", prompt=not kept)
        return RunningSearch(events, self._portal, share, kept=kept)

    def read_file(self, gist_id: str, name: str) -> FileText:
        """Download one file of a gist, within the deadline of a search. Blocks.

        Raises DeadlineError, OverloadedError, and what `file_text.read_file` raises.
        """

        async def read() -> FileText:
            self._admit()
            try:
                ends_at = asyncio.get_running_loop().time() + self._deadline_seconds
                scope = Scope(self._limiter.lane(), ends_at)
                async with asyncio.timeout_at(ends_at):
                    return await read_file(self._source, gist_id, name, scope)
            except TimeoutError:
                raise DeadlineError("GitHub did not send the file in time.") from None
            finally:
                self._leave()

        return self._portal.call(read())

    @property
    def running(self) -> int:
        """The number of searches, and of files being read, that have not ended."""
        return self._admitted

    @property
    def is_stopping(self) -> bool:
        """Whether new searches are refused."""
        return self._stopping

    def shut_down(self, grace_seconds: float) -> None:
        """Refuse new searches, and stop those that still run after `grace_seconds`. Blocks.

        A search that is stopped ends with a partial answer.
        """
        with self._changed:
            self._stopping = True
            self._changed.wait_for(lambda: not self._admitted, grace_seconds)
            if self._admitted:
                self._portal.loop.call_soon_threadsafe(self._stop_all)

    def close(self) -> None:
        """Stop the threads that read the cache and compile patterns. Idempotent."""
        self._cache_threads.close()
        self._compiler.close()

    def _stop_all(self) -> None:
        for session in self._sessions:
            session.stop(Stop("shutting_down", f"The service is stopping. {GO_ON}"))

    async def _run(self, query: Query, session: Session, scope: Scope, share: AnswerShare) -> None:
        compiled = partial(self._compile, query.pattern, query.flags)
        if is_plain(query.pattern, query.flags):
            pattern = compiled()  # each change of threads waits for the interpreter
        else:
            pattern = await self._compiler.run(scope.lane, compiled)
        wanted = Wanted(query.max_count, query.context, more=query.details)
        matcher = self._matching.matcher(pattern, wanted, scope.lane.caller.name)
        reader = Reader(
            source=self._source,
            shared=self._shared,
            matcher=matcher,
            wanted=Filter(query),
            scope=scope,
            share=share,
            max_count=query.max_count,
            context=query.context,
            wants_first=query.details,
            wants_names=query.names,
            count=session.count,
        )
        outcome = "cancelled"
        self._sessions.add(session)
        try:
            await session.run(reader)
            outcome = "partial" if session.partial else "success"
        except GistapiError as error:
            outcome = type(error).__name__
            raise
        finally:
            self._sessions.discard(session)
            matcher.close()
            self._observe(
                SearchEnded(
                    outcome,
                    session.elapsed_seconds,
                    session.buffer.done,
                    session.files_done,
                    session.bytes_done,
                    session.buffer.matches,
                )
            )

    def _admit(self) -> None:
        with self._changed:
            if self._stopping:
                raise OverloadedError("The service is stopping.", 1.0)
            if self._admitted >= self._max_searches:
                raise OverloadedError("Too many searches are running. Try again shortly.", 1.0)
            self._admitted += 1

    def _leave(self) -> None:
        with self._changed:
            self._admitted -= 1
            self._changed.notify_all()
