"""What one search takes of its caller's shares of GitHub: requests and bytes."""

from __future__ import annotations

import threading
from contextlib import suppress

from gistapi.counters import Count, Counters, Rate
from gistapi.errors import ByteQuotaError, OverloadedError, RateLimitedError

REQUESTS_BATCH = 16
BYTES_BATCH = 256 * 1024


class Share:
    """What is taken of one counter, told to it in batches: it may be a network away.

    When little is left a batch is that much, so that one search alone takes no more than there is.
    `left` is None while the counter has not been asked, or can't be.
    """

    def __init__(self, counters: Counters, key: str, rate: Rate, batch: int) -> None:
        self._counters = counters
        self._key = key
        self._rate = rate
        self._batch = batch
        self._lock = threading.Lock()
        self._untold = 0
        self._asked = False
        self.left: int | None = None
        self.ends_in_seconds = 0.0

    def spend(self, amount: int) -> bool:
        """Take so much of it, more than there is too; False, and nothing taken, at its end."""
        with self._lock:
            if not self._asked:
                self._tell()
            if self.left is not None and self._untold >= self.left:
                return False
            self._untold += amount
            if self._untold >= min(self._batch, self._batch if self.left is None else self.left):
                self._tell()
            return True

    def close(self) -> None:
        """Tell what has not been told yet, and from now on at once."""
        with self._lock, suppress(OverloadedError):
            self._batch = 1
            if self._untold:
                self._tell()

    def _tell(self) -> None:
        self._asked = True
        untold, self._untold = self._untold, 0
        count = self._counters.add(self._key, self._rate.window_seconds, untold)
        self._note(count)

    def _note(self, count: Count | None) -> None:
        self.left = None
        if count is not None:
            self.left = max(0, self._rate.amount - count.used)
            self.ends_in_seconds = count.ends_in_seconds


class SearchAccount:
    """The shares of one search's caller (a `gistapi.spending.Account`); None is without end."""

    def __init__(self, requests: Share | None, size: Share | None) -> None:
        self._requests = requests
        self._bytes = size

    def spend_request(self) -> None:
        """See `Account`."""
        self.spend_bytes(0)
        if self._requests is not None and not self._requests.spend(1):
            raise RateLimitedError(
                "Your share of requests to GitHub is used up.", self._requests.ends_in_seconds
            )

    def spend_bytes(self, size_bytes: int) -> None:
        """See `Account`."""
        if self._bytes is not None and not self._bytes.spend(size_bytes):
            raise ByteQuotaError(
                "Your share of bytes from GitHub is used up.", self._bytes.ends_in_seconds
            )

    def close(self) -> None:
        """Settle what is left to tell."""
        for share in (self._requests, self._bytes):
            if share is not None:
                share.close()
