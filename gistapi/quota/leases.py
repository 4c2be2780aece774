"""One search's use of its caller's quotas: requests to GitHub and bytes read from it."""

from __future__ import annotations

import math
import threading

from gistapi.errors import ByteQuotaError, OverloadedError, RateLimitedError
from gistapi.quota.counters import Count, Counters, Rate

REQUESTS_BATCH = 16
BYTES_BATCH = 256 * 1024
_MANY_MINUTES = 120


class QuotaLease:
    """One search's use of one counter, which is settled a batch at a time.

    `open` and `close` may wait for the counter and are for the request's thread; `spend` never
    waits, so it may be called on the loop: full batches are settled by another thread. A
    search can exceed its quota by what it spends during one settlement.
    """

    def __init__(self, counters: Counters, key: str, rate: Rate, batch: int) -> None:
        self._counters = counters
        self._key = key
        self.rate = rate
        self._batch = batch
        self._lock = threading.Lock()
        self._unsettled = 0
        self._settling = False
        self._left: int | None = None
        self._error: OverloadedError | None = None
        self.ends_in_seconds = 0.0

    @property
    def left(self) -> int | None:
        """What is left of the quota; None if counting fails and callers pass uncounted."""
        return None if self._left is None else max(0, self._left - self._unsettled)

    def open(self) -> None:
        """Read the counter. Raises OverloadedError if counting fails closed."""
        self._take_over(self._counters.add(self._key, self.rate.window_seconds, 0))

    def spend(self, amount: int) -> bool:
        """Take an amount, even beyond the quota; False, and nothing taken, once it is spent.

        Raises OverloadedError if counting has failed, closed, since the lease was opened.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            if self.left == 0:
                return False
            self._unsettled += amount
            is_full = self._unsettled >= self._batch and not self._settling
            self._settling |= is_full
        if is_full:
            self._counters.later(self._settle)
        return True

    def close(self) -> None:
        """Settle what is left."""
        if self._unsettled:
            self._settle()

    def _settle(self) -> None:
        with self._lock:
            amount, self._unsettled = self._unsettled, 0
            if self._left is not None:
                self._left -= amount  # until the counter's value arrives
        try:
            count = self._counters.add(self._key, self.rate.window_seconds, amount)
        except OverloadedError as error:
            self._error = error
        else:
            self._take_over(count)
        finally:
            self._settling = False

    def _take_over(self, count: Count | None) -> None:
        with self._lock:
            self._left = None
            if count is not None:
                self._left = self.rate.amount - count.used
                self.ends_in_seconds = count.ends_in_seconds


class SearchMeter:
    """The usage meter of one search (`gistapi.aio.scope.UsageMeter`); None is no limit."""

    def __init__(self, requests: QuotaLease | None, size: QuotaLease | None) -> None:
        self._requests = requests
        self._bytes = size

    def open(self) -> None:
        """Read the counters, in the request's thread. Raises OverloadedError; see QuotaLease."""
        for lease in (self._requests, self._bytes):
            if lease is not None:
                lease.open()

    def spend_request(self) -> None:
        """Count a request that is about to be sent; see UsageMeter. Never waits."""
        self.spend_bytes(0)
        if self._requests is not None and not self._requests.spend(1):
            raise RateLimitedError(
                f"Quota of {self._requests.rate.amount:,} requests to GitHub exceeded."
                f" {_resets(self._requests)}",
                self._requests.ends_in_seconds,
            )

    def spend_bytes(self, size_bytes: int) -> None:
        """Count decoded bytes that arrived; see UsageMeter. Never waits."""
        if self._bytes is not None and not self._bytes.spend(size_bytes):
            raise ByteQuotaError(
                f"Daily download quota exceeded ({self._bytes.rate.amount / 1e6:,.0f} MB)."
                f" {_resets(self._bytes)}",
                self._bytes.ends_in_seconds,
            )

    def close(self) -> None:
        """Settle what is left, in the request's thread."""
        for lease in (self._requests, self._bytes):
            if lease is not None:
                lease.close()


def _resets(lease: QuotaLease) -> str:
    minutes = math.ceil(lease.ends_in_seconds / 60)
    left = f"{minutes} minutes" if minutes <= _MANY_MINUTES else f"{math.ceil(minutes / 60)} hours"
    return f"It resets in {left}."
