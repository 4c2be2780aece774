"""A simulated list that changes while it is paged, in memory and on the test's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

from gistapi.github.listing_codec import StoredPage
from gistapi.github.paging import Numbers, numbered

FIRST_URL = "https://api.example/users/octocat/gists?per_page=100"
NEXT_URL = "https://api.example/user/1/gists?per_page=100"


class ShiftingList:
    """Entries, newest first; `before_answer` may change them before each answer.

    `seconds` is how long an answer takes; the list is read when it ends. Pages
    are stored, and `trusted` decides for each whether it is used again without a request.
    """

    def __init__(self, size: int) -> None:
        self.entries = [f"old{number}" for number in range(size)]
        self.throughout = set(self.entries)
        self.requests: list[str] = []
        self.before_answer: Callable[[ShiftingList], object] = lambda _: None
        self.seconds: Iterator[float] = iter(())
        self.trusted: Iterator[bool] = iter(())
        self.stored: dict[str, StoredPage] = {}
        self.link_last = True
        self.now = 0.0
        self._made = 0

    def add(self, count: int = 1) -> None:
        """Add entries at the top."""
        for _ in range(count):
            self._made += 1
            self.entries.insert(0, f"new{self._made}")

    def delete(self, place: int) -> None:
        """Delete the entry at a place; places beyond the end start again from the beginning."""
        if self.entries:
            gone = self.entries.pop(place % len(self.entries))
            self.throughout.discard(gone)

    async def fetch(self, url: str, numbers: Numbers | None, *, again: bool = False) -> StoredPage:
        """Answer as GitHub does (`chain.Fetch`)."""
        stored = self.stored.get(url)
        if stored is not None and not again and next(self.trusted, False):
            return stored
        self.requests.append(url)
        self.now += 1
        asked_at = self.now
        await asyncio.sleep(next(self.seconds, 0.0))
        self.before_answer(self)
        self.stored[url] = replace(self.page(url, numbers), confirmed_at=asked_at)
        return self.stored[url]

    def page(self, url: str, numbers: Numbers | None) -> StoredPage:
        """The current page at an address."""
        query = dict(parse_qsl(urlsplit(url).query))
        size, page = min(100, int(query.get("per_page", 30))), int(query.get("page", 1))
        start, end = (page - 1) * size, page * size
        leads_on = end < len(self.entries)
        total = (len(self.entries) - 1) // size * size + 1
        return StoredPage(
            url,
            self.now,
            numbers,
            next_url=numbered(NEXT_URL, Numbers(size, page + 1)) if leads_on else None,
            total=total if self.link_last and leads_on else None,
            ids=tuple(self.entries[start:end]),
        )
