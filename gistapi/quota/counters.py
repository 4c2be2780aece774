"""How much who has done: counters that end by themselves, in this process or shared by several.

`limits` brings the language of rates (`30/minute`) and the counting on Redis or Valkey.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from redis.connection import ConnectionPool
from redis.exceptions import RedisError

from gistapi.cache.breaker import Breaker
from gistapi.cache.redis import connection_pool
from gistapi.errors import OverloadedError
from gistapi.events import CountingFailed, Observer, ignore

MAX_COUNTERS = 100_000
"""In this process: some 30 MB. Beyond, those used longest ago are forgotten."""
READ_SECONDS = 0.25
_PREFIX = "gistapi:limits"


@dataclass(frozen=True, slots=True)
class Rate:
    """So much in so many seconds."""

    amount: int
    window_seconds: int

    @classmethod
    def parsed(cls, text: str) -> Rate:
        """`30/minute`, `500 per 2 hours`; see https://limits.readthedocs.io/en/stable/quickstart.html#rate-limit-string-notation."""
        from limits import parse  # noqa: PLC0415 - slow to load, and few set a rate

        item = parse(text)
        return cls(item.amount, item.get_expiry())


@dataclass(frozen=True, slots=True)
class Count:
    """Where a counter stands, and when it ends."""

    used: int
    ends_in_seconds: float


class Counts(Protocol):
    """Where counters are kept: what is used here of `limits.storage.Storage`."""

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter, which ends so many seconds after it began; gives what it is then."""

    def get_expiry(self, key: str) -> float:
        """When it ends, in seconds since the epoch."""


class MemoryCounts:
    """Counters of this process alone, as many as MAX_COUNTERS.

    (The memory storage of `limits` has no bound, and walks over all counters again and again.)
    """

    def __init__(self, max_counters: int = MAX_COUNTERS) -> None:
        self._max_counters = max_counters
        self._lock = threading.Lock()
        self._counters: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add; see Counts."""
        now = time.time()
        with self._lock:
            count, ends_at = self._counters.get(key, (0, 0.0))
            if ends_at <= now:
                count, ends_at = 0, now + expiry
            self._counters[key] = count + amount, ends_at
            self._counters.move_to_end(key)
            if len(self._counters) > self._max_counters:
                self._counters.popitem(last=False)
            return count + amount

    def get_expiry(self, key: str) -> float:
        """The end; see Counts."""
        with self._lock:
            return self._counters.get(key, (0, time.time()))[1]


class Counters:
    """The counters at a cache's address: shared where that is a Redis or Valkey.

    A store that fails is left alone for some seconds, then one caller at a time tries it. Building
    one opens nothing. `fail_closed`: when the store can't be asked, nobody is let through.
    """

    def __init__(self, url: str, *, fail_closed: bool = False, observe: Observer = ignore) -> None:
        self._pool: ConnectionPool | None = None
        self._counts: Counts = MemoryCounts()
        if url.startswith(("redis://", "rediss://", "unix://")):
            from limits.storage import RedisStorage  # noqa: PLC0415 - slow to load

            self._pool = connection_pool(url, READ_SECONDS)
            self._counts = RedisStorage("redis://", connection_pool=self._pool, key_prefix=_PREFIX)
        self._fail_closed = fail_closed
        self._observe = observe
        self._breaker = Breaker("counting")
        self._trying = threading.Lock()

    def add(self, key: str, window_seconds: int, amount: int = 1) -> Count | None:
        """Add to a counter; None when that can't be done, and is to be no caller's harm.

        Raises OverloadedError in its place when the counters fail closed.
        """
        with self._turn() as due:
            if due:
                return self._added(key, window_seconds, amount)
        self._fail(f"skipped: {self._breaker.error}")
        return None

    def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            self._pool.close()

    @contextmanager
    def _turn(self) -> Iterator[bool]:
        """Whether the store is to be asked."""
        if self._breaker.error is None:
            yield True
        elif self._breaker.due() and self._trying.acquire(blocking=False):
            try:
                yield True
            finally:
                self._trying.release()
        else:
            yield False

    def _added(self, key: str, window_seconds: int, amount: int) -> Count | None:
        try:
            used = self._counts.incr(key, window_seconds, amount)
            ends_at = self._counts.get_expiry(key)
        except (RedisError, OSError) as error:
            words = f"{type(error).__name__}: {error}"
            self._breaker.failed(words)
            self._fail(words)
            return None
        self._breaker.worked()
        return Count(used, max(0.0, ends_at - time.time()))

    def _fail(self, error: str) -> None:
        self._observe(CountingFailed(error))
        if self._fail_closed:
            raise OverloadedError("The limits can't be checked at the moment.", 5.0)
