"""One page of a list: from the store, or from GitHub, tried until it can be read."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urljoin

from cachetools import LRUCache

from gistapi.aio.executors import Threads
from gistapi.aio.limiter import FairLimiter, Lane
from gistapi.aio.scope import Scope
from gistapi.aio.singleflight import SingleFlight
from gistapi.errors import GithubError, IncompleteError, UnauthorizedError
from gistapi.events import CacheRead, Observer
from gistapi.github import api
from gistapi.github.chain import AHEAD_IN_ALL, SmallerPageError
from gistapi.github.client import Client, LimitedError, Response, Retries, TransientError
from gistapi.github.entries import MAX_TEXT_BYTES, Entries, ForeignGistError
from gistapi.github.listing_codec import StoredPage, decode, encode, pack, unpack
from gistapi.github.long_strings import ShortStrings
from gistapi.github.paging import SIZES, Numbers, number_of
from gistapi.models import Gist

RECENT_BYTES = 4 * 2**20
"""Memory for the pages used last: some 200 of 100 gists, of which one search may read 100."""
_ID_BYTES = 100
_PAGE_BYTES = 1000
TRIES_OF_MANY = 2
"""GitHub fails on a page that takes it over 10 s, and fewer entries take less."""


class ListingStore(Protocol):
    """Where lists outlive a request; may forget at any time, raises nothing. For any thread."""

    def get_listing(self, key: str) -> bytes | None:
        """What was put under `key`."""

    def put_listing(self, key: str, listing: bytes) -> None:
        """Remember it."""


@dataclass(frozen=True, slots=True)
class WantedPage:
    """A page to ask for: its address, its key in the store, how its body is read.

    `numbers` are None where the list is not counted. `known` is the page as it was. `is_single`: a
    gist with its contents, which are not kept.
    """

    url: str
    key: str
    parse: Callable[[bytes], Entries]
    numbers: Numbers | None = None
    known: StoredPage | None = None
    is_single: bool = False


class PageReader:
    """Reads pages for all searches; the same page is asked for once at a time.

    `ahead` has the places of pages that are read before their turn.
    """

    def __init__(
        self, client: Client, store: ListingStore, observe: Observer, clock: Callable[[], float]
    ) -> None:
        self._budget: tuple[api.Budget, float] | None = None  # and when it ends
        self.now = clock
        self._client = client
        self._store = store
        self._observe = observe
        self._recent: LRUCache[str, StoredPage] = LRUCache(RECENT_BYTES, _size_bytes)
        self._storing = Threads(4, "gistapi-listing-store")
        self._flights: SingleFlight[StoredPage] = SingleFlight()
        self.ahead = FairLimiter(AHEAD_IN_ALL)

    def close(self) -> None:
        """End the threads; what they are at is finished."""
        self._storing.close()

    def budget_of(self, scope: Scope) -> api.Budget | None:
        """What is left for requests that carry no caller's token, if it is known."""
        if scope.caller_token is not None or self._budget is None:
            return None
        budget, ends_at = self._budget
        return budget if self.now() < ends_at else None

    def _note_budget(self, response: Response, scope: Scope, now: float) -> None:
        budget = api.budget(response.headers, time.time())
        if budget is not None and scope.caller_token is None:
            self._budget = budget, now + budget.reset_seconds

    async def load(self, key: str, lane: Lane) -> StoredPage | None:
        """The page that was last kept under `key`, for the search that has `lane`."""

        def read() -> StoredPage | None:
            stored = self._store.get_listing(key)
            return None if stored is None else decode(stored)

        page = await self._storing.run(lane, read)
        self._observe(CacheRead("listing", int(page is not None), int(page is None)))
        if page is not None:
            self._remember(key, page)
        return page

    def recent(self, key: str, confirmed_after: float) -> StoredPage | None:
        """The page that was last kept under `key`, if it is in memory and was confirmed later.

        Another process may have stored a newer one.
        """
        page = self._recent.get(key)
        if page is None or not confirmed_after < page.confirmed_at <= self.now():
            return None
        self._observe(CacheRead("listing", 1, 0))
        return page

    def _remember(self, key: str, page: StoredPage) -> None:
        if _size_bytes(page) <= RECENT_BYTES:
            self._recent[key] = page
        else:
            self._recent.pop(key, None)

    async def gists(self, page: StoredPage, lane: Lane) -> tuple[Gist, ...]:
        """All gists of a page at once; more than one piece of them is not read on the loop."""

        def read() -> tuple[Gist, ...]:
            return tuple(gist for piece in page.pieces for gist in unpack(piece))

        return read() if len(page.pieces) <= 1 else await self._storing.run(lane, read)

    async def ask(self, wanted: WantedPage, scope: Scope) -> StoredPage:
        """Ask GitHub for a page, and keep it. A list that GitHub does not know is `missing`.

        Raises SmallerPageError where fewer entries should be asked for, TransientError after the
        last try, GithubRateLimitedError, UnauthorizedError if GitHub refuses the caller's token,
        else GithubError.
        """
        return await self._flights.fetch(wanted.key, partial(self._ask, wanted, scope))

    async def _ask(self, wanted: WantedPage, scope: Scope) -> StoredPage:
        retries = Retries(scope)
        many = wanted.numbers is not None and wanted.numbers.per_page > SIZES[1]
        failures = 0
        while True:
            try:
                page = await self._exchange(wanted, scope)
            except TransientError as error:
                failures += not isinstance(error, LimitedError)
                slow = (error.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
                if many and slow and failures == TRIES_OF_MANY:
                    raise SmallerPageError(str(error)) from error
                await retries.again(error)
            except IncompleteError as error:  # the address leads elsewhere
                raise GithubError(str(error)) from error
            else:
                await self._storing.run(scope.lane, partial(self._keep, wanted.key, page))
                self._remember(wanted.key, page)
                return page

    def _keep(self, key: str, page: StoredPage) -> None:
        self._store.put_listing(key, encode(page))

    async def _exchange(self, wanted: WantedPage, scope: Scope) -> StoredPage:
        """Ask once."""
        headers, known = api.HEADERS, wanted.known
        if known is None or known.etag is None or known.url != wanted.url:
            known = None
        else:
            headers = {**api.HEADERS, "If-None-Match": known.etag}
        now = self.now()
        strings = ShortStrings(MAX_TEXT_BYTES) if wanted.is_single else None
        can_shrink = wanted.numbers is not None and wanted.numbers.per_page > SIZES[-1]
        too_large = SmallerPageError("GitHub's page is too large.") if can_shrink else None
        async with self._client.bodies.body(scope.lane) as body:
            async with self._client.get(
                wanted.url,
                kind="gist" if wanted.is_single else "list",
                scope=scope,
                headers=headers,
            ) as response:
                self._note_budget(response, scope, now)
                page = _head(wanted, response, now)
                if response.status == HTTPStatus.NOT_MODIFIED and known is not None:
                    await response.read(0)
                    return _confirmed(page, known, response)
                if response.status == HTTPStatus.NOT_FOUND:
                    return replace(page, missing=True)
                if response.status == HTTPStatus.UNAUTHORIZED and scope.caller_token is not None:
                    raise UnauthorizedError("GitHub refused the token in X-GitHub-Token.")
                if response.status != HTTPStatus.OK:
                    raise GithubError(await response.error_message())
                await body.read(response, strings=strings, too_large=too_large)
            try:
                return await body.parse(partial(_filled, page, wanted))
            except ForeignGistError:
                raise
            except GithubError as error:
                raise TransientError(str(error), response.status) from error


def _size_bytes(page: StoredPage) -> int:
    """Approximate memory of a page."""
    return _PAGE_BYTES + _ID_BYTES * len(page.ids) + sum(map(len, page.pieces))


def _head(wanted: WantedPage, response: Response, now: float) -> StoredPage:
    """A page without its entries."""
    links = api.links(response.headers)
    numbers = wanted.numbers
    pages = None if links.last is None else number_of(links.last)
    return StoredPage(
        url=wanted.url,
        confirmed_at=now,
        numbers=numbers,
        etag=response.headers.get("ETag"),
        date=api.date(response.headers),
        next_url=None if links.next is None else _joined(response.url, links.next),
        total=(pages - 1) * numbers.per_page + 1 if pages and numbers else None,
    )


def _joined(url: str, link: str) -> str:
    try:
        return urljoin(url, link)
    except ValueError:
        return link  # not an address: the client refuses it


def _confirmed(page: StoredPage, known: StoredPage, response: Response) -> StoredPage:
    """The known page, of which GitHub says that it is still so."""
    if "Link" in response.headers:
        known = replace(known, next_url=page.next_url, total=page.total)
    return replace(known, confirmed_at=page.confirmed_at, date=page.date)


def _filled(page: StoredPage, wanted: WantedPage, body: bytes) -> StoredPage:
    entries = wanted.parse(body)
    return replace(
        page,
        ids=entries.ids,
        pieces=pack(entries.gists),
        unreadable=entries.unreadable,
        size_bytes=len(body),
    )
