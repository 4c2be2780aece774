"""Sends a search's events to its caller, and counts them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gistapi.aio.portal import Outbox
from gistapi.models import Begin, Incomplete, Match, Page, SearchEvent
from gistapi.search.cursor import Place
from gistapi.search.share import AnswerShare
from gistapi.search.stop import Stop

MAX_HITS = 10_000
"""Matches in one answer."""
MAX_CHARACTERS = 8 * 2**20
"""Of lines shown in one answer; one gist, with all the context there may be, has 6.3 million."""


class Sender:
    """Sends the events of one search. For the loop alone.

    `share` counts what is sent until it has been read. `partial` is true once something incomplete
    was sent, `has_begun` once Begin was.
    """

    def __init__(self, outbox: Outbox[SearchEvent], share: AnswerShare) -> None:
        self._outbox = outbox
        self._share = share
        self.partial = False
        self.has_begun = False
        self._holds_begin = False
        self._hits = self._characters = 0
        self._has_more = False
        self.listing_age_seconds = 0.0
        self._remarked: set[Place] = set()

    async def room(self) -> None:
        """Wait for a reader that is far behind."""
        await self._outbox.room()

    def begin(self) -> None:
        """Send Begin, once; a plain answer gets it with the next event.

        Each event wakes a thread, and none of a plain answer is sent before the last.
        """
        if not self.has_begun:
            self.has_begun = self._holds_begin = True
            if not self._share.is_kept:
                self._send_begin()

    def _send_begin(self) -> None:
        self._holds_begin = False
        self._outbox.send(Begin())

    def send(self, event: SearchEvent) -> None:
        """Send an event."""
        if self._holds_begin:
            self._send_begin()
        self.partial |= isinstance(event, Incomplete)
        if isinstance(event, Match):
            self._share.sending(event.number)
        self._outbox.send(event)

    def send_all(self, events: Iterable[Match | Incomplete]) -> None:
        """Send events in their order."""
        for event in events:
            self.send(event)

    def count_hits(self, match: Match) -> None:
        """Limit an answer's matches and their text. Raises Stop before the limit is exceeded."""
        hits = [hit for file in match.files for hit in file.hits]
        self._hits += len(hits)
        self._characters += sum(
            len(hit.text) + sum(map(len, hit.before)) + sum(map(len, hit.after)) for hit in hits
        )
        if self._hits > MAX_HITS or self._characters > MAX_CHARACTERS:
            raise Stop.too_many_matches()
        if match.has_more and not self._has_more:
            self._has_more = True
            message = "A gist has more matches than one answer shows of it; `more` marks its files."
            self.send(Incomplete(None, None, "too_many_matches", message))

    def remark(self, place: Place, page: Page) -> None:
        """Record a page's age, and send what is missing or stale in it."""
        self.listing_age_seconds = max(self.listing_age_seconds, page.age_seconds)
        self.send_all(_remarks(page, is_first=place not in self._remarked))
        self._remarked.add(place)


def _remarks(page: Page, *, is_first: bool) -> Iterator[Incomplete]:
    if page.stale_seconds is not None and is_first:
        age = f"GitHub cannot be reached. The list of gists is {page.stale_seconds:.0f} s old."
        yield Incomplete(None, None, "stale_listing", age)
    if page.unreadable:
        missing = f"GitHub listed {page.unreadable} gists without an address."
        yield Incomplete(None, None, "listing_unavailable", missing)
