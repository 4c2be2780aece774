"""Lists of GitHub's, page by page: as they are now, or as they were a moment ago.

Each page is kept by itself, with its ETag, so that a list longer than a deadline is read on where
the last search stopped. How long a list is trusted: see `freshness`. After that one request for
what was updated `since` brings a list of several pages up to date. It shows no deletions, so from
time to time each page is asked for by its ETag.
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing

from gistapi.aio.rounds import Rounds
from gistapi.aio.scope import Scope
from gistapi.events import Observer
from gistapi.github.client import Client
from gistapi.github.freshness import Freshness
from gistapi.github.listing_codec import StoredPage, unpack
from gistapi.github.page_reader import ListingStore, PageReader
from gistapi.github.reading import Reading
from gistapi.github.sources import source_of
from gistapi.models import Gist, Page, Target

__all__ = ["Freshness", "ListingStore", "Listings"]


class Listings:
    """Reads lists through `client`, remembering them in `store`. `clock`: epoch seconds."""

    def __init__(
        self,
        client: Client,
        store: ListingStore,
        freshness: Freshness,
        observe: Observer,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._api_url = client.api_url
        self._reader = PageReader(client, store, observe, clock)
        self._freshness = freshness
        self._rounds = Rounds()

    def close(self) -> None:
        """End the threads; idempotent."""
        self._reader.close()

    async def pages(self, target: Target, scope: Scope) -> AsyncGenerator[Page]:
        """The gists of `target`, each once, newest created first. Close it to end its requests.

        Every gist that is there from the first request to the last is listed, whatever is added
        or deleted meanwhile. Secret gists are listed only where the target is a gist, `mine` or
        `starred`. Raises UserNotFoundError, GithubError, GithubRateLimitedError, UnauthorizedError
        where the caller's token is missing or refused, and what `scope.meter` raises, also after
        the first page. Not for organizations: see `members`.
        """
        reading = self._reading(target, scope)
        async with aclosing(reading.pages()) as pages:
            async for page in pages:
                for part in _parts(reading, page):
                    yield part
                    if not part.last:
                        await self._rounds.step()

    async def members(self, organization: str, scope: Scope) -> AsyncGenerator[str]:
        """The logins of an organization's members, each once, in GitHub's order; raises as `pages`.

        The public ones; with a token of a member the concealed ones too. As with gists, those
        who are members from the first request to the last are listed.
        """
        reading = self._reading(Target("organization", organization), scope)
        seen: set[str] = set()
        async with aclosing(reading.pages()) as pages:
            async for page in pages:
                for login in page.ids:
                    if login not in seen:
                        seen.add(login)
                        yield login

    def _reading(self, target: Target, scope: Scope) -> Reading:
        source = source_of(self._api_url, target, scope.caller_token)
        return Reading(self._reader, source, self._freshness, scope)


def _parts(reading: Reading, page: StoredPage) -> Iterator[Page]:
    """A page in parts of a few hundred files, so that a reader holds few of them."""
    *pieces, end = page.pieces or (b"",)
    for piece in pieces:
        yield _page(reading, reading.order.take(unpack(piece)))
    gists = reading.order.take(unpack(end)) if end else ()
    last = page.next_url is None
    if last:
        gists += reading.order.rest()
    yield _page(reading, gists, last=last, unreadable=page.unreadable)


def _page(
    reading: Reading, gists: tuple[Gist, ...], *, last: bool = False, unreadable: int = 0
) -> Page:
    return Page(gists, last, unreadable, reading.stale_seconds, reading.age_seconds)
