"""A list read page by page while it changes, and the proof that no change hid an entry.

The invariant: every entry that is in the list all the time, and stands at or before the last entry
read, has been read. The first page begins the list. Any other page continues it if it holds an
entry that was read before: GitHub's order does not change, so between that entry and the page's
end nothing is left out. It does not matter when or in which order the pages were asked for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, Protocol

from gistapi.aio.limiter import Lane
from gistapi.errors import GithubError
from gistapi.github.listing_codec import StoredPage
from gistapi.github.paging import SIZES, Numbers, following, number_of, numbered, smaller

AT_ONCE = 3
"""Pages of one list that are asked for side by side: the next one and two ahead."""
AHEAD_IN_ALL = 24
"""Pages that all lists together ask for before their turn; each asks for one more, its next."""
IDLE_PAGES = 20
"""Pages in a row without a new entry: the list grows faster than it is read, or goes in circles."""
STEP_BACK = 25
"""Entries to look further back for one that is known; it grows fourfold each time."""
MAX_STEPS_BACK = 100
"""Requests for one list that only look for a known entry."""
CHANGES = "GitHub's list changes faster than it can be read, or its pages go in circles."


class Fetch(Protocol):
    """Reads one page of a list."""

    def __call__(
        self, url: str, numbers: Numbers | None, *, again: bool = False
    ) -> Coroutine[Any, Any, StoredPage]:
        """The page at `url`; `again`: ask GitHub even if the page is known and fresh."""


class SmallerPageError(GithubError):
    """A page of this size takes GitHub too long, or is too large."""


class Chain:
    """The pages of one list, each read by `fetch`; for one loop and one reader.

    Pages are read ahead as far as `places` has some free; no page waits for one.
    """

    def __init__(self, fetch: Fetch, places: Lane) -> None:
        self._fetch = fetch
        self._places = places
        self._known: set[str] = set()
        self._page: StoredPage
        self._place = 0  # the place in the list after the last entry read
        self._most = SIZES[0]
        self._counted = True  # whether the server honours `per_page` and `page`
        self._idle = 0
        self._steps_back = 0
        self._held: StoredPage | None = None  # read ahead, and not joined to the others yet
        self._ahead: deque[tuple[Numbers, asyncio.Task[StoredPage]]] = deque()

    async def pages(self, first: StoredPage) -> AsyncGenerator[StoredPage]:
        """The pages from `first` on. Raises what `fetch` raises.

        Raises GithubError if the list changes faster than it can be read.
        """
        self._judge_first(first)
        yield self._accept(first)
        try:
            while self._page.next_url is not None:
                if self._idle == IDLE_PAGES:
                    raise GithubError(CHANGES)
                yield await self._next_page(self._page.next_url)
        finally:
            self._places.try_hold(0)
            await self._drop_ahead(len(self._ahead))

    def _judge_first(self, first: StoredPage) -> None:
        """Learn from the first page of several how the server counts."""
        if first.next_url is not None and first.numbers is not None:
            self._most = min(first.numbers.per_page, len(first.ids))
            self._counted = self._most >= SIZES[-1]

    def _accept(self, page: StoredPage) -> StoredPage:
        """Make the page the last one read; it continues what was read before."""
        self._idle = self._idle + 1 if self._known.issuperset(page.ids) else 0
        self._known.update(page.ids)
        self._place = len(page.ids) + (page.numbers.start if page.numbers is not None else 0)
        self._page = page
        return page

    def _joins(self, page: StoredPage) -> bool:
        return not self._known.isdisjoint(page.ids)

    async def _next_page(self, next_url: str) -> StoredPage:
        while self._counted and number_of(next_url) is not None:
            try:
                page = await self._counted_page(next_url)
            except SmallerPageError:
                self._most = smaller(self._most) or self._most
                self._held = None
                await self._drop_ahead(len(self._ahead))
            else:
                if page is not None:
                    return self._accept(page)
        # The server does not count as GitHub does: its pages are followed as they are.
        return self._accept(await self._fetch(next_url, None))

    async def _counted_page(self, next_url: str) -> StoredPage | None:
        """The next page that continues the list; None if the server turns out not to count."""
        held = self._held = self._held or await self._planned(next_url)
        if not self._joins(held) and held.confirmed_at < self._page.confirmed_at:
            # An older state of the list, from before entries were added.
            held = self._held = await self._fetch(held.url, held.numbers, again=True)
        if held.numbers is None or len(held.ids) > held.numbers.per_page:
            self._counted = False
            return None
        if self._joins(held):
            self._held = None
            return held
        return await self._step_back(next_url, held.numbers)

    async def _step_back(self, next_url: str, held: Numbers) -> StoredPage | None:
        """Find the list again, which has moved up by more than its pages overlap."""
        back = STEP_BACK if following(self._place, self._most) == held else 0
        while True:
            self._steps_back += 1
            if self._steps_back > MAX_STEPS_BACK:
                raise GithubError(CHANGES)
            wanted = following(self._place, self._most, back)
            page = await self._fetch(numbered(next_url, wanted), wanted, again=True)
            if wanted.page == 1 and page.ids == self._page.ids:
                self._counted = False  # nothing has moved: the server skips entries by itself
                return None
            if self._joins(page) or wanted.page == 1:
                self._idle = -1
                if held.end <= wanted.start + len(page.ids):
                    self._held = None
                return page
            back = 4 * back or STEP_BACK

    async def _planned(self, next_url: str) -> StoredPage:
        """The page that should come next, with those after it asked for side by side."""
        behind = sum(numbers.end <= self._place for numbers, _ in self._ahead)
        await self._drop_ahead(behind)
        while len(self._ahead) < AT_ONCE and self._places.try_hold(len(self._ahead)):
            end = self._ahead[-1][0].end if self._ahead else self._place
            if self._ahead and (self._page.total is None or end >= self._page.total):
                break
            wanted = following(end, self._most)
            self._ahead.append((wanted, self._start(numbered(next_url, wanted), wanted)))
        _, task = self._ahead.popleft()
        try:
            return await task
        finally:
            await _cancel(task)

    def _start(self, url: str, numbers: Numbers) -> asyncio.Task[StoredPage]:
        task = asyncio.create_task(self._fetch(url, numbers), name=f"list {url}")
        task.add_done_callback(lambda task: task.cancelled() or task.exception())  # seen, if unused
        return task

    async def _drop_ahead(self, count: int) -> None:
        for _ in range(count):
            await _cancel(self._ahead.popleft()[1])


async def _cancel(task: asyncio.Task[StoredPage]) -> None:
    if not task.done():
        task.cancel()
        await asyncio.wait((task,))
