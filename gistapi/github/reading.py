"""Reads one list for one search: stored pages while they are fresh, all others from GitHub."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from gistapi.aio.scope import Scope
from gistapi.errors import GithubError, GithubRateLimitedError, GithubTimeoutError
from gistapi.github.bodies import SMALL_BYTES
from gistapi.github.chain import Chain, SmallerPageError
from gistapi.github.client import TransientError
from gistapi.github.freshness import Freshness
from gistapi.github.listing_codec import StoredPage
from gistapi.github.order import Order
from gistapi.github.page_reader import PageReader, WantedPage
from gistapi.github.paging import FIRST, Numbers, smaller
from gistapi.github.sources import Source, suffix

UNAVAILABLE = (TransientError, GithubRateLimitedError, GithubTimeoutError)
"""Errors after which a stored list is used instead, if it is not too old."""
OVERLAP_SECONDS = 10
"""Changes are requested from this many seconds before the stored page was read."""


class Reading:
    """The pages of one list for one search.

    `order` orders their gists and merges later changes. `age_seconds` is the time since GitHub was
    asked for changes. `stale_seconds` is the same if GitHub could not be asked now, else None.
    """

    def __init__(
        self, reader: PageReader, source: Source, freshness: Freshness, scope: Scope
    ) -> None:
        self.order = Order()
        self.age_seconds = 0.0
        self.stale_seconds: float | None = None
        self._reader = reader
        self._source = source
        self._freshness = freshness
        self._scope = scope
        now = reader.now()
        self._key = source.key(scope.caller_token)
        self._fresh_after = now  # pages confirmed since then are used without a request

    async def pages(self) -> AsyncGenerator[StoredPage]:
        """Yield the pages of the list; raises what `Listings.pages` raises."""
        first = await self._first()
        if first.missing:
            raise self._source.unknown()
        ahead = self._reader.ahead.lane(self._scope.lane.caller.name)
        async with aclosing(Chain(self._page, ahead).pages(first)) as pages:
            async for page in pages:
                yield page

    async def _first(self) -> StoredPage:
        known = await self._load(self._key)
        if known is not None:
            await self._choose_fresh(known)
            if self._is_fresh(known):
                return known
        numbers = None if self._source.is_single else self._first_numbers(known)
        while True:
            try:
                return await self._ask(self._source.first(numbers), numbers, known)
            except SmallerPageError:
                most = FIRST.per_page if numbers is None else numbers.per_page
                numbers = Numbers(smaller(most) or most, 1)

    async def _load(self, key: str) -> StoredPage | None:
        """The page kept under `key`: from memory while it would be trusted, else from the store."""
        recent = self._reader.recent(key, self._reader.now() - self._freshness.ttl_seconds)
        return recent or await self._reader.load(key, self._scope.lane)

    def _age(self, page: StoredPage) -> float:
        return page.age_seconds(self._reader.now())

    def _is_fresh(self, page: StoredPage) -> bool:
        return self._fresh_after <= page.confirmed_at <= self._reader.now()

    @staticmethod
    def _first_numbers(known: StoredPage | None) -> Numbers:
        """Return the numbers of a first page that is likely to have at most PAGE_BYTES."""
        if known is None or known.numbers is None or not known.ids:
            return FIRST
        full = known.size_bytes / len(known.ids) * FIRST.per_page
        return FIRST if full <= SMALL_BYTES else known.numbers

    async def _choose_fresh(self, known: StoredPage) -> None:
        """Decide which stored pages are fresh, given the stored first page."""
        trust = self._freshness.trust(self._reader.budget_of(self._scope))
        age = self._age(known)
        # A list that is as fresh as it has to be was not asked for changes.
        is_new = age < self._freshness.ttl_seconds
        changes = None if is_new else await self._known_changes(known)
        change_age = age if changes is None else min(age, self._age(changes))
        if change_age < trust.seconds:
            self._fresh_after = min(self._reader.now() - trust.seconds, known.confirmed_at)
        elif known.next_url is None or age >= trust.deletions_seconds:
            return  # a single page is no longer than its changes; changes show no deletions
        else:
            changes = await self._changes(known, changes, change_age)
            if changes is None:
                return
            change_age = self._age(changes)
            self._fresh_after = known.confirmed_at
        self.age_seconds = change_age
        if changes is not None:
            gists = await self._reader.gists(changes, self._scope.lane)
            self.order = Order(gists, hidden=changes.ids)

    def _changes_url(self, known: StoredPage) -> str | None:
        """Return the URL of the changes since `known` was read; None if the list has none."""
        if not self._source.shows_updates or known.date is None or known.next_url is None:
            return None
        return self._source.since(FIRST, known.date - OVERLAP_SECONDS)

    async def _known_changes(self, known: StoredPage) -> StoredPage | None:
        url = self._changes_url(known)
        if url is None:
            return None
        changes = await self._load(f"{self._key}#since")
        return changes if changes is not None and changes.url == url else None

    async def _changes(
        self, known: StoredPage, before: StoredPage | None, age: float
    ) -> StoredPage | None:
        """Request the changes since `known` was read; None if one page does not show them all."""
        url = self._changes_url(known)
        if url is None:
            return None
        wanted = WantedPage(url, f"{self._key}#since", self._source.parse, known=before)
        try:
            changes = await self._reader.ask(wanted, self._scope)
        except UNAVAILABLE:
            if age > self._freshness.stale_if_error_seconds:
                raise
            self._use_stale(age)
            return before
        return None if changes.missing or changes.next_url is not None else changes

    async def _page(self, url: str, numbers: Numbers | None, *, again: bool = False) -> StoredPage:
        """Return a page after the first, or the first one again (`chain.Fetch`)."""
        if numbers is not None and numbers.page == 1:
            url = self._source.first(numbers)
        known = await self._load(self._key_of(url, numbers))
        if known is not None and (known.missing or known.url != url):
            known = None
        if known is not None and not again and self._is_fresh(known):
            return known
        page = await self._ask(url, numbers, None if again else known)
        if page.missing:
            raise GithubError("GitHub's list broke off.")
        return page

    async def _ask(self, url: str, numbers: Numbers | None, known: StoredPage | None) -> StoredPage:
        """Request a page; return `known` if GitHub can't be asked and `known` is not too old."""
        key = self._key_of(url, numbers)
        source = self._source
        wanted = WantedPage(url, key, source.parse, numbers, known, source.is_single)
        try:
            return await self._reader.ask(wanted, self._scope)
        except UNAVAILABLE:
            age = float("inf") if known is None else self._age(known)
            if known is None or age > self._freshness.stale_if_error_seconds:
                raise
            self._use_stale(age)
            return known

    def _use_stale(self, age_seconds: float) -> None:
        """From now on use stored pages that are not too old, since GitHub can't be asked."""
        self.stale_seconds = self.age_seconds = max(age_seconds, self.age_seconds)
        self._fresh_after = self._reader.now() - self._freshness.stale_if_error_seconds

    def _key_of(self, url: str, numbers: Numbers | None) -> str:
        if self._source.is_single or (numbers is not None and numbers.page == 1):
            return self._key
        return url + suffix(self._scope.caller_token)
