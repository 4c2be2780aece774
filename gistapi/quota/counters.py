"""Counters that expire with their window, in this process or shared by all instances.

`limits` provides the notation of rates (`30/minute`) and the counting on Redis or Valkey.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cachetools import TLRUCache

from gistapi.cache.contract import StoreError
from gistapi.errors import OverloadedError
from gistapi.events import CountingFailed, Observer, ignore

if TYPE_CHECKING:
    from gistapi.cache.redis import RedisServer

MAX_COUNTERS = 100_000
"""In this process: about 30 MB. Beyond, the least recently used are dropped."""
_PREFIX = "gistapi:limits"
_RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Rate:
    """An amount per window."""

    amount: int
    window_seconds: int

    @classmethod
    def parsed(cls, text: str) -> Rate:
        """Parse `30/minute` or `500 per 2 hours`.

        Source: https://limits.readthedocs.io/en/stable/quickstart.html#rate-limit-string-notation
        """
        from limits import parse  # noqa: PLC0415 - slow to load, and few set a rate

        item = parse(text)
        return cls(item.amount, item.get_expiry())


@dataclass(frozen=True, slots=True)
class Count:
    """The value of a counter, and when its window ends."""

    used: int
    ends_in_seconds: float


class Counts(Protocol):
    """Where counters are kept: the part of `limits.storage.Storage` that is used here."""

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter, which expires `expiry` seconds after its start; returns its value."""

    def get_expiry(self, key: str) -> float:
        """Return when it ends, in seconds since the epoch."""


class MemoryCounts:
    """Counters of this process alone, at most `max_counters`.

    (The memory storage of `limits` has no bound, and traverses all counters every 10 ms.)
    """

    def __init__(self, max_counters: int = MAX_COUNTERS) -> None:
        self._lock = threading.Lock()
        self._counters: TLRUCache[str, tuple[int, float]] = TLRUCache(
            max_counters, ttu=lambda _key, counter, _now: counter[1], timer=time.time
        )

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add; see Counts."""
        with self._lock:
            count, ends_at = self._counters.get(key) or (0, time.time() + expiry)
            self._counters[key] = count + amount, ends_at
            return count + amount

    def get_expiry(self, key: str) -> float:
        """Return the end; see Counts."""
        with self._lock:
            return (self._counters.get(key) or (0, time.time()))[1]


class Counters:
    """Counters on a Redis server, or without one in this process.

    A server that fails is unused for some seconds, then one caller at a time tries it; creating
    one sends no request. With `fail_closed`, callers are refused while counting fails.
    """

    def __init__(
        self,
        server: RedisServer | None = None,
        *,
        fail_closed: bool = False,
        observe: Observer = ignore,
    ) -> None:
        self._server = server
        self._counts: Counts = MemoryCounts() if server is None else _redis_counts(server)
        self._fail_closed = fail_closed
        self._observe = observe
        self._executor: ThreadPoolExecutor | None = None
        if server is not None:
            self._executor = ThreadPoolExecutor(1, "gistapi-quota")  # starts with its first work

    def add(self, key: str, window_seconds: int, amount: int = 1) -> Count | None:
        """Add to a counter; None if counting fails and callers pass uncounted. May wait for Redis.

        Raises OverloadedError instead of returning None if counting fails closed.
        """
        if self._server is None:
            return self._added(key, window_seconds, amount)
        breaker = self._server.writing
        error = f"skipped: {breaker.cause}"
        if breaker.allows():
            try:
                with self._server.asked(breaker):
                    return self._added(key, window_seconds, amount)
            except StoreError as failure:
                error = str(failure)
        self._observe(CountingFailed(error))
        if self._fail_closed:
            raise OverloadedError("Limits cannot be checked at the moment.", _RETRY_SECONDS)
        return None

    def later(self, work: Callable[[], None]) -> None:
        """Run work that adds to counters without blocking the caller, which may be the loop."""
        if self._executor is None:
            work()
            return
        with suppress(RuntimeError):  # closed, or no thread could start: done with the next
            self._executor.submit(work)

    def close(self) -> None:
        """Finish the work passed to `later`."""
        if self._executor is not None:
            self._executor.shutdown()

    def _added(self, key: str, window_seconds: int, amount: int) -> Count:
        used = self._counts.incr(key, window_seconds, amount)
        ends_in_seconds = self._counts.get_expiry(key) - time.time()
        return Count(max(0, used), min(max(0.0, ends_in_seconds), window_seconds))


def _redis_counts(server: RedisServer) -> Counts:
    from limits.storage import RedisStorage  # noqa: PLC0415 - slow to load

    return RedisStorage("redis://", connection_pool=server.pool, key_prefix=_PREFIX)
