"""A user's gists, page by page: as GitHub lists them, or as it did a moment ago.

A listing that was read whole is kept (by user, with each page's ETag). For `ttl_seconds` it is
trusted; after that each of its pages is asked for conditionally, which GitHub answers with 304
while nothing changed (https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urljoin

from gistapi.aio.deadline import Deadline
from gistapi.errors import GithubError, GithubRateLimitedError, IncompleteError, UserNotFoundError
from gistapi.events import CacheRead, Observer
from gistapi.github import api
from gistapi.github.client import Client, Response, Retries
from gistapi.github.http import TransientError
from gistapi.github.listing_codec import StoredListing, StoredPage, decode, encode, in_order
from gistapi.models import Page

MAX_PAGE_BYTES = 32 * 1024 * 1024
MAX_TAKES = 3
IDLE_PAGES = 3
"""So many pages with nothing new, and the paging goes in circles."""
FULL, FEWER = "?per_page=100", "?per_page=30"
"""GitHub fails on a listing that takes it over 10 s, and fewer a page take less."""
FULL_TRIES = 2
HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
ASKED_AT_ONCE = 10
"""Of one user's known pages: GitHub asks for no more than a handful at a time."""


class ListingStore(Protocol):
    """Where listings outlive a request; both may forget at any time and raise nothing."""

    def get_listing(self, key: str) -> bytes | None:
        """What was put under `key`."""

    def put_listing(self, key: str, listing: bytes) -> None:
        """Remember it."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How long a listing is trusted unasked, and how old it may be when GitHub can't be asked."""

    ttl_seconds: float
    stale_seconds: float = 0.0


class Listings:
    """Lists gists through `client`, remembering in `store`."""

    def __init__(
        self, client: Client, store: ListingStore, trust: Freshness, observe: Observer
    ) -> None:
        self._client = client
        self._store = store
        self._trust = trust
        self._observe = observe

    def pages(self, username: str, deadline: Deadline) -> Iterator[Page]:
        """The public gists of `username`, each once, newest created first.

        Raises UserNotFoundError, GithubError, GithubRateLimitedError, DeadlineError and
        CancelledError, also after the first page.
        """
        url = f"{self._client.api_url}/users/{username}/gists{FULL}"
        key = url.lower()  # the API's address is part of it: a store may outlive a setting
        known = self._known(key)
        if known is not None and known.age_seconds(time.time()) < self._trust.ttl_seconds:
            if not known.pages:
                raise UserNotFoundError("GitHub knew no such user a moment ago.")
            return _as_pages(known.pages)
        if known is not None and known.pages:
            return self._revalidated(key, url, known, deadline)
        return self._listed(key, url, deadline)

    def _known(self, key: str) -> StoredListing | None:
        stored = self._store.get_listing(key)
        known = None if stored is None else decode(stored)
        self._observe(CacheRead("listing", int(known is not None), int(known is None)))
        return known

    def _listed(self, key: str, url: str, deadline: Deadline) -> Iterator[Page]:
        """The listing as GitHub has it now, taken again while it changes under the paging."""
        seen: set[str] = set()
        for _ in range(MAX_TAKES):
            taken: list[StoredPage] = []
            for page in in_order(self._walk(key, url, deadline)):
                taken.append(page)
                yield _unseen(page, seen)
            if len(taken) == 1 or not self._has_changed(taken[0], deadline):
                self._keep(key, taken)
                break
        yield Page((), last=True)

    def _walk(self, key: str, url: str, deadline: Deadline) -> Iterator[StoredPage]:
        """Page after page by `Link`, as long as that leads on to gists not seen yet."""
        page: StoredPage | None = self._first(key, url, deadline)
        seen: set[str] = set()
        idle = 0
        while page is not None:
            ids = {gist.id for gist in page.gists}
            idle = 0 if ids - seen else idle + 1
            seen |= ids
            yield page
            page = self._following(page, deadline) if idle < IDLE_PAGES else None

    def _first(self, key: str, url: str, deadline: Deadline) -> StoredPage:
        try:
            return self._ask(url, deadline, instead=url.replace(FULL, FEWER))
        except UserNotFoundError:
            self._keep(key, [])
            raise

    def _following(self, page: StoredPage, deadline: Deadline) -> StoredPage | None:
        if page.next_url is None:
            return None
        try:
            return self._ask(page.next_url, deadline)
        except UserNotFoundError as error:
            raise GithubError("GitHub's list of gists broke off.") from error

    def _has_changed(self, first: StoredPage, deadline: Deadline) -> bool:
        try:
            now = self._confirmed(first, deadline)
        except GithubError:
            return False  # the list is complete as it was; only its freshness can't be confirmed
        return next(in_order([now])).gists != first.gists

    def _revalidated(
        self, key: str, url: str, known: StoredListing, deadline: Deadline
    ) -> Iterator[Page]:
        """The known listing, each of its pages confirmed or replaced, and what follows it now."""
        try:
            pages = tuple(in_order(self._now(known.pages, deadline)))
        except UserNotFoundError:
            self._keep(key, [])
            raise
        except (TransientError, GithubRateLimitedError):
            age = known.age_seconds(time.time())
            if age > self._trust.stale_seconds:
                raise
            yield from _as_pages(known.pages, stale_seconds=age)
            return
        if pages != known.pages and self._has_changed(pages[0], deadline):
            yield from self._listed(key, url, deadline)
            return
        self._keep(key, pages)
        yield from _as_pages(pages)

    def _now(self, known: Sequence[StoredPage], deadline: Deadline) -> Iterator[StoredPage]:
        """The pages as they are now, the known ones asked for side by side."""
        work = deadline.child()
        pool = ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="gistapi-listing")
        try:
            asked = [pool.submit(copy_context().run, self._confirmed, page, work) for page in known]
            page = None
            for answer in asked:
                page = answer.result()
                yield page
                if page.next_url is None:
                    return
            while page is not None and (page := self._following(page, deadline)) is not None:
                yield page
        finally:
            work.cancel()  # of pages that are not there any more, or not of use
            work.release()
            pool.shutdown(wait=False, cancel_futures=True)

    def _confirmed(self, page: StoredPage, deadline: Deadline) -> StoredPage:
        """The page, asked for anew if it has another ETag by now."""
        return self._ask(page.url, deadline, known=page)

    def _ask(
        self,
        url: str,
        deadline: Deadline,
        *,
        known: StoredPage | None = None,
        instead: str | None = None,
    ) -> StoredPage:
        """One page, tried until it can be read; `known` when it still has that one's ETag.

        `instead` is asked for when `url` has failed twice.
        """
        headers = HEADERS
        if known is not None and known.etag is not None:
            headers = {**HEADERS, "If-None-Match": known.etag}
        retries = Retries(deadline)
        tries = 0
        while True:
            tries += 1
            try:
                with self._client.get(
                    url, kind="list", deadline=deadline, headers=headers
                ) as answer:
                    return _read(url, answer, known)
            except TransientError as error:
                retries.again(error)
                if tries == FULL_TRIES and instead is not None:
                    url = instead
            except IncompleteError as error:
                raise GithubError(str(error)) from error

    def _keep(self, key: str, pages: Sequence[StoredPage]) -> None:
        self._store.put_listing(key, encode(StoredListing(time.time(), tuple(pages))))


def _read(url: str, answer: Response, known: StoredPage | None) -> StoredPage:
    if answer.status == HTTPStatus.NOT_MODIFIED and known is not None:
        answer.read(0)
        return known
    if answer.status == HTTPStatus.NOT_FOUND:
        raise UserNotFoundError("GitHub knows no such user.")
    if answer.status != HTTPStatus.OK:
        raise GithubError(answer.error_message())
    try:
        gists, unreadable = api.parse_page(answer.read(MAX_PAGE_BYTES))
    except TransientError:
        raise
    except GithubError as error:
        raise TransientError(str(error), answer.status) from error
    following = api.next_url(answer.headers)
    return StoredPage(
        url,
        answer.headers.get("ETag"),
        None if following is None else urljoin(url, following),
        gists,
        unreadable,
    )


def _unseen(page: StoredPage, seen: set[str]) -> Page:
    new = tuple(gist for gist in page.gists if gist.id not in seen)
    seen.update(gist.id for gist in new)
    return Page(new, last=False, unreadable=page.unreadable)


def _as_pages(pages: Sequence[StoredPage], stale_seconds: float | None = None) -> Iterator[Page]:
    for page in pages:
        yield Page(page.gists, page is pages[-1], page.unreadable, stale_seconds)
