"""What is good once: words that were used, remembered until they would have expired anyway."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from redis import Redis
from redis.exceptions import RedisError

from gistapi.cache.breaker import Breaker
from gistapi.cache.redis import READ_SECONDS, SCHEMA_VERSION, connection_pool
from gistapi.errors import OverloadedError
from gistapi.events import CacheFailed, Observer, ignore

MAX_WORDS = 100_000
_PREFIX = f"gistapi:{SCHEMA_VERSION}:once:"


class NonceStore:
    """Knows each word for the time that it is given. For any thread.

    In memory, and in Redis where `url` names one, so that instances know each other's words. When
    Redis does not answer, each goes by what it knows itself: a word may then be used once on each.
    """

    def __init__(self, url: str, observe: Observer = ignore) -> None:
        shared = url.startswith(("redis://", "rediss://", "unix://"))
        self._redis = Redis.from_pool(connection_pool(url, READ_SECONDS)) if shared else None
        self._breaker = Breaker("once")
        self._observe = observe
        self._lock = threading.Lock()
        self._known: OrderedDict[str, float] = OrderedDict()

    def claim(self, word: str, seconds: float) -> bool:
        """Whether the word comes for the first time; it is then known for so many seconds.

        Raises OverloadedError when there are too many to be remembered.
        """
        return self._first_here(word, seconds) and self._first_anywhere(word, seconds)

    def close(self) -> None:
        """Close the connections."""
        if self._redis is not None:
            self._redis.close()

    def _first_here(self, word: str, seconds: float) -> bool:
        now = time.monotonic()
        with self._lock:
            while self._known and next(iter(self._known.values())) <= now:
                self._known.popitem(last=False)
            if self._known.get(word, now) > now:
                return False
            if len(self._known) >= MAX_WORDS:
                raise OverloadedError("Too many captchas were solved", 60.0)
            self._known[word] = now + seconds
            return True

    def _first_anywhere(self, word: str, seconds: float) -> bool:
        if self._redis is None or (self._breaker.error is not None and not self._breaker.due()):
            return True
        try:
            first = self._redis.set(_PREFIX + word, b"", nx=True, px=int(seconds * 1000))
        except (RedisError, OSError) as error:
            told = f"{type(error).__name__}: {error}"
            self._breaker.failed(told)
            self._observe(CacheFailed("once", told))
            return True
        self._breaker.worked()
        return bool(first)
