"""The use case: which of a user's gists match a pattern?"""

from __future__ import annotations

import threading
from collections.abc import Generator
from functools import lru_cache

from gistapi.aio.deadline import Deadline
from gistapi.aio.fairpool import FairPool
from gistapi.aio.flights import Contents, Flights
from gistapi.errors import GistapiError, OverloadedError
from gistapi.events import Observer, SearchEnded, ignore
from gistapi.matching import Matching, compile_pattern
from gistapi.models import End, Query, SearchEvent
from gistapi.search import cursor as cursors
from gistapi.search.filters import Filter
from gistapi.search.reader import GistSource, Scan
from gistapi.search.reorder import Order
from gistapi.search.session import GO_ON, Bounds, Run, Stop

COMPILED = 16
"""So many patterns stay compiled: one that goes on by its cursor, or is popular, costs it once."""


class Searcher:
    """Searches gists, many searches side by side on one pool of threads.

    `deadline_seconds` and `bounds` limit one search, `max_searches` how many run at once.
    """

    def __init__(
        self,
        source: GistSource,
        contents: Contents,
        matching: Matching,
        pool: FairPool,
        *,
        deadline_seconds: float,
        max_searches: int,
        bounds: Bounds = Bounds(),  # noqa: B008 - frozen
        observe: Observer = ignore,
    ) -> None:
        self._compile = lru_cache(maxsize=COMPILED)(compile_pattern)
        self._source = source
        self._contents = contents
        self._flights = Flights(contents)
        self._matching = matching
        self._pool = pool
        self._deadline_seconds = deadline_seconds
        self._max_searches = max_searches
        self._bounds = bounds
        self._observe = observe
        self._changed = threading.Condition()
        self._running: set[Run] = set()
        self._stopping = False

    def search(
        self,
        query: Query,
        *,
        in_order: bool,
        caller_token: str | None = None,  # noqa: ARG002 - the targets' listings will send it
    ) -> Generator[SearchEvent]:
        """The events of one search: Begin, then Match, Incomplete and Progress, at last End.

        `in_order`, matches come in GitHub's order (as they always do under a limit), else as they
        are found. Some event comes at least every PROGRESS_SECONDS. Close the iterator, and the
        search and its downloads stop. Raises InvalidPatternError and InvalidCursorError at once;
        from the iterator OverloadedError before anything is asked of GitHub, GithubError and its
        kinds, RateLimitedError and ByteQuotaError, where nothing could be searched.
        """
        pattern = self._compile(query.pattern, query.flags)
        order = Order(cursors.decode(query), in_order=in_order, limit=query.limit)
        run = Run(query, order, Deadline(self._deadline_seconds), self._bounds)
        scan = Scan(
            source=self._source,
            contents=self._contents,
            flights=self._flights,
            matcher=self._matching.matcher(pattern),
            wanted=Filter(query),
            lane=self._pool.lane(),
            deadline=run.deadline,
            report=run.inbox.put,
            fault=run.inbox.put,
            max_bytes=self._bounds.size_bytes,
        )
        return self._observed(run, scan)

    @property
    def running(self) -> int:
        """How many searches run now."""
        return len(self._running)

    @property
    def stopping(self) -> bool:
        """Whether no search begins any more."""
        return self._stopping

    def shut_down(self, grace_seconds: float) -> None:
        """Begin no search any more; those that still run after the grace end as they are."""
        with self._changed:
            self._stopping = True
            self._changed.wait_for(lambda: not self._running, grace_seconds)
            for run in self._running:
                run.inbox.put(Stop("shutting_down", f"The service is stopping. {GO_ON}"))

    def _observed(self, run: Run, scan: Scan) -> Generator[SearchEvent]:
        self._admit(run)
        outcome = "cancelled"
        try:
            for event in run.events(scan):
                if isinstance(event, End):
                    outcome = "partial" if event.partial else "success"
                yield event
        except GistapiError as error:
            outcome = type(error).__name__
            raise
        finally:
            run.deadline.cancel()
            scan.lane.close()
            with self._changed:
                self._running.discard(run)
                self._changed.notify_all()
            self._observe(
                SearchEnded(
                    outcome,
                    run.elapsed_seconds,
                    run.order.done,
                    scan.files_done,
                    scan.bytes_done,
                    run.order.matches,
                )
            )

    def _admit(self, run: Run) -> None:
        with self._changed:
            if self._stopping:
                raise OverloadedError("The service is stopping.", 1.0)
            if len(self._running) >= self._max_searches:
                raise OverloadedError("Too many searches at once.", 1.0)
            self._running.add(run)
