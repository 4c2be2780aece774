"""Contents on their way: what several searches want at once is fetched once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from gistapi.aio.deadline import Deadline

LANDED = 10_000
"""So many of the last blobs to arrive are remembered by name."""
POLL_SECONDS = 0.1


class Contents(Protocol):
    """What was read before, by git blob SHA-1."""

    def get_contents(self, blobs: Mapping[str, int | None]) -> Iterator[tuple[str, bytes]]:
        """What there is of these blobs (SHA-1 -> size in bytes)."""

    def put_content(self, blob_sha: str, content: bytes) -> None:
        """Keep a content, which may be checked against its SHA-1."""


class _Flight:
    """One fetch; `content` stays None when it failed."""

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.content: bytes | None = None


class Flights:
    """Fetches through `contents`, for all searches of the process.

    By address, not by SHA-1: old addresses carry a commit's, which all files of a gist share.
    """

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._lock = threading.Lock()
        self._flying: dict[str, _Flight] = {}
        self._landed: deque[str] = deque(maxlen=LANDED)
        self._known: set[str] = set()

    def fetch(
        self, url: str, blob_sha: str, deadline: Deadline, fetch: Callable[[], bytes]
    ) -> bytes:
        """The content behind an address: another search's, if one is just fetching it, else ours.

        Raises what `fetch` raises; another's failure is not ours. DeadlineError, CancelledError.
        """
        own = _Flight()
        while (flight := self._joined(url, own)) is not own:
            while not flight.landed.wait(min(POLL_SECONDS, deadline.remaining())):
                deadline.check()
            if flight.content is not None:
                return flight.content
        try:
            own.content = self._kept(blob_sha)
            if own.content is None:
                own.content = fetch()
                self._contents.put_content(blob_sha, own.content)
            return own.content
        finally:
            with self._lock:
                del self._flying[url]
                if own.content is not None:
                    self._remember(blob_sha)
            own.landed.set()

    def _joined(self, url: str, own: _Flight) -> _Flight:
        """The flight to this address: `own`, unless there is one."""
        with self._lock:
            return self._flying.setdefault(url, own)

    def _kept(self, blob_sha: str) -> bytes | None:
        """What has landed since the search looked into the cache."""
        if blob_sha not in self._known:
            return None
        return next((content for _, content in self._contents.get_contents({blob_sha: None})), None)

    def _remember(self, blob_sha: str) -> None:
        if blob_sha in self._known:
            return
        if len(self._landed) == LANDED:
            self._known.discard(self._landed[0])
        self._landed.append(blob_sha)
        self._known.add(blob_sha)
