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

from gistapi.deadline import Deadline
from gistapi.errors import GapError, GithubError, UserNotFoundError
from gistapi.github import api
from gistapi.github.client import Client, Response, Retries
from gistapi.github.stored import StoredListing, StoredPage, decode, encode, in_order
from gistapi.github.transport import TransientError
from gistapi.models import Page
from gistapi.observe import CacheRead, Observer

MAX_PAGE_BYTES = 32 * 1024 * 1024
MAX_TAKES = 3
IDLE_PAGES = 3
"""So many pages with nothing new, and the paging goes in circles."""
FULL, FEWER = "per_page=100", "per_page=30"
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
class Trust:
    """How long a listing is trusted unasked, and how old it may be when GitHub can't be asked."""

    ttl_seconds: float
    stale_seconds: float = 0.0


class Listings:
    """Lists gists through `client`, remembering in `store`."""

    def __init__(
        self, client: Client, store: ListingStore, trust: Trust, observe: Observer
    ) -> None:
        self._client = client
        self._store = store
        self._trust = trust
        self._observe = observe
        self._pool = ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="gistapi-listing")

    def pages(self, username: str, deadline: Deadline) -> Iterator[Page]:
        """The public gists of `username`, each once, newest created first.

        Raises UserNotFoundError, GithubError, GithubRateLimitedError, DeadlineError and
        CancelledError, also after the first page.
        """
        key = username.lower()
        known = self._known(key)
        if known is not None and known.age_seconds(time.time()) < self._trust.ttl_seconds:
            if not known.pages:
                raise UserNotFoundError("GitHub knew no such user a moment ago.")
            yield from _as_pages(known.pages)
            return
        if known is not None and known.pages:
            yield from self._revalidated(key, known, deadline)
        else:
            yield from self._listed(key, self._first_url(username), deadline)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _known(self, key: str) -> StoredListing | None:
        stored = self._store.get_listing(key)
        known = None if stored is None else decode(stored)
        self._observe(CacheRead("listing", int(known is not None), int(known is None)))
        return known

    def _first_url(self, username: str) -> str:
        return f"{self._client.api_url}/users/{username}/gists?{FULL}"

    def _listed(self, key: str, url: str, deadline: Deadline) -> Iterator[Page]:
        """The listing as GitHub has it now, taken again while it changes under the paging."""
        seen: set[str] = set()
        taken: list[StoredPage] = []
        for _ in range(MAX_TAKES):
            taken = []
            for page in self._walk(key, url, deadline):
                taken = list(in_order([*taken, page]))
                yield _unseen(taken[-1], seen)
            if len(taken) == 1 or not self._has_changed(taken[0], deadline):
                break
        self._keep(key, taken)
        yield Page((), last=True)

    def _walk(self, key: str, url: str, deadline: Deadline) -> Iterator[StoredPage]:
        """Page after page by `Link`, as long as that leads on to gists not seen yet."""
        page = self._first(key, url, deadline)
        seen: set[str] = set()
        idle = 0
        while page is not None and idle < IDLE_PAGES:
            ids = {gist.id for gist in page.gists}
            idle = 0 if ids - seen else idle + 1
            seen |= ids
            yield page
            page = self._following(page, deadline)

    def _following(self, page: StoredPage, deadline: Deadline) -> StoredPage | None:
        if page.next_url is None:
            return None
        try:
            return self._ask(page.next_url, None, deadline)
        except UserNotFoundError as error:
            raise GithubError("GitHub's list of gists broke off.") from error

    def _first(self, key: str, url: str, deadline: Deadline) -> StoredPage | None:
        try:
            return self._ask(url, None, deadline)
        except UserNotFoundError:
            self._keep(key, [])
            raise
        except TransientError as error:
            if error.status is None or FULL not in url:
                raise
            # GitHub answers 5xx to a listing that takes it over 10 s, and less takes less
            return self._ask(url.replace(FULL, FEWER), None, deadline)

    def _has_changed(self, first: StoredPage, deadline: Deadline) -> bool:
        try:
            now = self._ask(first.url, first.etag, deadline)
        except GithubError:
            return False  # the list is complete as it was; only its freshness can't be confirmed
        return now is not None and now.gists != first.gists

    def _revalidated(self, key: str, known: StoredListing, deadline: Deadline) -> Iterator[Page]:
        """The known listing, each of its pages confirmed or replaced, and what follows it now."""
        try:
            pages = self._confirmed(known.pages, deadline)
        except UserNotFoundError:
            self._keep(key, [])
            raise
        except GithubError:
            age = known.age_seconds(time.time())
            if age > self._trust.stale_seconds:
                raise
            yield from _as_pages(known.pages, stale_seconds=age)
            return
        if pages != known.pages and self._has_changed(pages[0], deadline):
            yield from self._listed(key, known.pages[0].url, deadline)
            return
        self._keep(key, pages)
        yield from _as_pages(pages)

    def _confirmed(
        self, known: tuple[StoredPage, ...], deadline: Deadline
    ) -> tuple[StoredPage, ...]:
        asked = [
            self._pool.submit(copy_context().run, self._ask, page.url, page.etag, deadline)
            for page in known
        ]
        pages = []
        for page, answer in zip(known, asked, strict=True):
            pages.append(answer.result() or page)
            if pages[-1].next_url is None:
                break
        while (following := self._following(pages[-1], deadline)) is not None:
            pages.append(following)
        return in_order(pages)

    def _ask(self, url: str, etag: str | None, deadline: Deadline) -> StoredPage | None:
        """One page, tried until it can be read; None when it still has that `etag`."""
        headers = HEADERS if etag is None else {**HEADERS, "If-None-Match": etag}
        retries = Retries(deadline)
        while True:
            try:
                with self._client.get(
                    url, kind="list", deadline=deadline, headers=headers
                ) as answer:
                    return _read(url, answer)
            except TransientError as error:
                retries.again(error)
            except GapError as error:
                raise GithubError(str(error)) from error

    def _keep(self, key: str, pages: Sequence[StoredPage]) -> None:
        self._store.put_listing(key, encode(StoredListing(time.time(), tuple(pages))))


def _read(url: str, answer: Response) -> StoredPage | None:
    if answer.status == HTTPStatus.NOT_MODIFIED:
        answer.read(0)
        return None
    if answer.status == HTTPStatus.NOT_FOUND:
        answer.read_error()
        raise UserNotFoundError("GitHub knows no such user.")
    if answer.status != HTTPStatus.OK:
        raise GithubError(answer.error_message())
    try:
        gists, unreadable = api.parse_page(answer.read(MAX_PAGE_BYTES))
    except TransientError:
        raise
    except GithubError as error:
        raise TransientError(str(error), answer.status) from error
    return StoredPage(
        url, answer.headers.get("ETag"), api.next_url(answer.headers), gists, unreadable
    )


def _unseen(page: StoredPage, seen: set[str]) -> Page:
    new = tuple(gist for gist in page.gists if gist.id not in seen)
    seen.update(gist.id for gist in new)
    return Page(new, last=False, unreadable=page.unreadable)


def _as_pages(pages: Sequence[StoredPage], stale_seconds: float | None = None) -> Iterator[Page]:
    for page in pages:
        yield Page(page.gists, page is pages[-1], page.unreadable, stale_seconds)
