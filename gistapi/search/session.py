"""One search under way: what comes of its files and pages, told in the right order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from itertools import chain
from queue import Empty, SimpleQueue

from gistapi.aio.deadline import Deadline
from gistapi.errors import (
    ByteQuotaError,
    CancelledError,
    DeadlineError,
    GistapiError,
    GithubRateLimitedError,
    GithubTimeoutError,
    OverloadedError,
    RateLimitedError,
)
from gistapi.models import Begin, End, Incomplete, Match, Page, Progress, Query, SearchEvent
from gistapi.search import cursor as cursors
from gistapi.search.reader import GistSource, Scan, Searched
from gistapi.search.reorder import Order

PROGRESS_SECONDS = 1.0
GO_ON = "Go on with the cursor in `next`."


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one search may decide and read, what the cache has included."""

    gists: int = 10_000
    files: int = 100_000
    size_bytes: int = 2**30


GIVEN_UP = {
    "deadline": "It alone took longer than the deadline.",
    "search_too_large": "It alone is more than one search may read.",
}
"""What is said of a gist that a search would never get past, were it not left out."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Ends a search as it is, for one of the contract's reasons.

    `after_work`: what is being read is waited for. It was taken from the caller's share, and would
    be again.
    """

    reason: str
    message: str
    after_work: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """The listing has ended, by an error or not."""

    error: GistapiError | None


class Run:
    """One search: what it waits for comes through `inbox`, what it tells goes out of `events`."""

    def __init__(self, query: Query, order: Order, deadline: Deadline, bounds: Bounds) -> None:
        self.query = query
        self.bounds = bounds
        self.order = order
        self.deadline = deadline
        self.inbox: SimpleQueue[Page | list[Searched] | Listed | Stop | BaseException] = (
            SimpleQueue()
        )
        self._began = time.monotonic()
        self._partial = False
        self._stale = False
        self._listed: Listed | None = None
        self._stop: Stop | None = None
        self._error: GistapiError | None = None

    @property
    def elapsed_seconds(self) -> float:
        """How long the search has run."""
        return time.monotonic() - self._began

    def events(self, scan: Scan) -> Iterator[SearchEvent]:
        """Search, and tell."""
        self._start_listing(scan.source)
        first = self._first()
        yield Begin()
        for event in chain(self._took(first, scan), self._worked(scan), self._stopped()):
            self._partial |= isinstance(event, Incomplete)
            yield event
        following = None if self._complete else cursors.encode(self.order.cursor, self.query)
        yield End(self._partial, self.order.matches, following, self.elapsed_seconds)

    def _start_listing(self, source: GistSource) -> None:
        listing = partial(copy_context().run, self._list, source)
        threading.Thread(target=listing, name="gistapi-listing", daemon=True).start()

    def _list(self, source: GistSource) -> None:
        """Put the pages into the inbox, on a thread of its own: they are read ahead."""
        try:
            for page in source.pages(self.query.username, self.deadline):
                self.inbox.put(page)
            self.inbox.put(Listed(None))
        except (DeadlineError, CancelledError):
            pass  # the searching thread knows, and tells it in its own way
        except GistapiError as error:
            self.inbox.put(Listed(error))
        except BaseException as error:  # noqa: BLE001 - the searching thread raises it
            self.inbox.put(error)

    def _first(self) -> Page:
        """The first page, whose errors are the whole search's."""
        try:
            message = self.inbox.get(timeout=self.deadline.remaining())
        except Empty:
            raise GithubTimeoutError("GitHub did not list the gists in time.") from None
        match message:
            case Page():
                return message
            case Listed(error=GistapiError() as error):
                raise error
            case Stop():
                raise OverloadedError("The service is stopping.", 1.0)
            case BaseException():
                raise message
        raise TypeError(message)

    def _worked(self, scan: Scan) -> Iterator[SearchEvent]:
        told_at = time.monotonic()
        while not self._over(scan):
            if self._stop is None and (fresh := self.order.startable()):
                scan.begin(fresh)
            due = told_at + PROGRESS_SECONDS - time.monotonic()
            try:
                message = self.inbox.get(timeout=max(0.0, min(due, self.deadline.remaining())))
            except Empty:
                if self.deadline.remaining() <= 0:
                    self._stop = Stop("deadline", f"The deadline has passed. {GO_ON}")
            else:
                yield from self._took(message, scan)
            if self._stop is None and self._too_large(scan):
                self._stop = Stop("search_too_large", f"One search may read no more. {GO_ON}")
            if time.monotonic() >= told_at + PROGRESS_SECONDS:
                told_at = time.monotonic()
                yield self._progress(scan)

    def _too_large(self, scan: Scan) -> bool:
        return (
            self.order.decided >= self.bounds.gists
            or scan.files_done >= self.bounds.files
            or scan.bytes_done >= self.bounds.size_bytes
        )

    def _over(self, scan: Scan) -> bool:
        if self.order.full:
            return True
        if self._stop is not None:
            return (scan.idle and self.inbox.empty()) or not self._stop.after_work
        return self._listed is not None and self.order.idle

    @property
    def _complete(self) -> bool:
        """Whether every gist of the listing was searched, or tried."""
        return self._listed is not None and self._listed.error is None and self.order.idle

    def _progress(self, scan: Scan) -> Progress:
        whole = self._listed is not None and self._listed.error is None
        total = self.order.listed if whole else None
        return Progress(self.order.done, total, scan.files_done, scan.bytes_done)

    def _took(self, message: object, scan: Scan) -> Iterator[Match | Incomplete]:
        match message:
            case Page():
                yield from self._took_page(message, scan)
            case list():
                for searched in message:
                    yield from self._took_searched(searched, scan)
            case Listed():
                self._listed = message
            case Stop():
                self._stop = message
            case BaseException():
                raise message

    def _took_page(self, page: Page, scan: Scan) -> Iterator[Match | Incomplete]:
        if page.stale_seconds is not None and not self._stale:
            self._stale = True
            age = f"GitHub can't be asked; its list of gists is {page.stale_seconds:.0f} s old."
            yield Incomplete(None, None, "stale_listing", age)
        if page.unreadable:
            missing = f"GitHub listed {page.unreadable} gists without an address."
            yield Incomplete(None, None, "listing_unavailable", missing)
        for gist in page.gists:
            slot = self.order.add(gist)
            if slot is not None and not scan.prepare(slot):
                yield from self.order.decide(slot)
        yield from self.order.told_by_prefix()

    def _took_searched(self, searched: Searched, scan: Scan) -> Iterator[Match | Incomplete]:
        slot = searched.slot
        if searched.stop is not None:
            self._error = searched.stop
            ours = isinstance(searched.stop, RateLimitedError | ByteQuotaError)
            self._stop = Stop(_reason(searched.stop), f"{searched.stop} {GO_ON}", after_work=ours)
        if searched.stop is not None or slot.decided:
            return
        slot.pending -= 1
        slot.gaps += searched.gaps
        if searched.refused is not None:
            slot.refused.append(searched.refused)
        if searched.match is not None:
            slot.match = searched.match
        elif slot.pending:
            return
        elif slot.refused:
            scan.clone(slot)
            return
        scan.end(slot)
        yield from self.order.decide(slot)

    def _stopped(self) -> Iterator[Match | Incomplete]:
        """What a search that stops before its end has to say of it."""
        stop = self._stop
        if stop is None and self._listed is not None and self._listed.error is not None:
            self._error = self._listed.error
            stop = Stop(_reason(self._error), f"{self._error} {GO_ON}")
        if stop is None or self.order.full:
            return
        if not self.order.advanced:
            if stop.reason == "deadline" and self.order.idle:
                raise GithubTimeoutError("GitHub did not list the gists in time.")
            if stop.reason in GIVEN_UP:
                yield from self.order.give_up(stop.reason, GIVEN_UP[stop.reason])
            elif self._error is not None and not self.order.matches:
                raise self._error
        if not self._complete:
            yield from self.order.give_up_late("It was listed too late to be searched in time.")
            yield Incomplete(None, None, stop.reason, stop.message)


def _reason(error: GistapiError) -> str:
    if isinstance(error, GithubRateLimitedError | RateLimitedError):
        return "github_rate_limited"
    return "byte_quota" if isinstance(error, ByteQuotaError) else "listing_unavailable"
