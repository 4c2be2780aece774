"""What one search takes of its caller's shares of GitHub: requests and bytes."""

from __future__ import annotations

import threading
from contextlib import suppress

from gistapi.errors import ByteQuotaError, OverloadedError, RateLimitedError
from gistapi.quota.counters import Counters, Rate

REQUESTS_BATCH = 16
BYTES_BATCH = 256 * 1024


class QuotaLease:
    """What is taken of one counter, told to it in batches: it may be a network away."""

    def __init__(self, counters: Counters, key: str, rate: Rate, batch: int) -> None:
        self._counters = counters
        self._key = key
        self._rate = rate
        self._batch = batch
        self._lock = threading.Lock()
        self._untold = 0
        self._asked = False
        self._left: int | None = None
        self.ends_in_seconds = 0.0

    @property
    def left(self) -> int | None:
        """What is left of it; None while the counter has not been asked, or can't be."""
        return None if self._left is None else max(0, self._left - self._untold)

    def spend(self, amount: int) -> bool:
        """Take so much of it, more than there is too; False, and nothing taken, at its end."""
        with self._lock:
            if not self._asked:
                self._tell()
            if self.left == 0:
                return False
            self._untold += amount
            if self._untold >= self._batch:
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
        self._left = None
        if count is not None:
            self._left = max(0, self._rate.amount - count.used)
            self.ends_in_seconds = count.ends_in_seconds


class SearchMeter:
    """The shares of one search's caller (a `gistapi.quota.usage.Account`); None is without end."""

    def __init__(self, requests: QuotaLease | None, size: QuotaLease | None) -> None:
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
