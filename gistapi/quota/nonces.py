"""Replay protection: remembers used nonces until they expire."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cachetools import TLRUCache

from gistapi.cache.contract import StoreError
from gistapi.errors import OverloadedError
from gistapi.events import CacheFailed, Observer, ignore

if TYPE_CHECKING:
    from gistapi.cache.redis import RedisServer

MAX_NONCES = 100_000
_RETRY_SECONDS = 60.0


class NonceStore:
    """Accepts each nonce once within its lifetime. Thread-safe.

    In memory, and on a Redis server if there is one, so that instances know each other's nonces.
    While Redis does not answer, each instance uses its own memory: a nonce may then be used once
    on each. `clock` returns seconds.
    """

    def __init__(
        self,
        server: RedisServer | None = None,
        observe: Observer = ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._observe = observe
        self._clock = clock
        self._lock = threading.Lock()
        # Unbounded, since an evicted nonce could be used again: `claim` refuses instead.
        self._used: TLRUCache[str, float] = TLRUCache(
            float("inf"), ttu=lambda _nonce, ends_at, _now: ends_at, timer=clock
        )

    def claim(self, nonce: str, ttl_seconds: float) -> bool:
        """Use a nonce; False if it was used before. It is stored for `ttl_seconds`.

        Raises OverloadedError if too many are stored already.
        """
        with self._lock:
            if nonce in self._used:
                return False
            if len(self._used) >= MAX_NONCES:
                raise OverloadedError("Too many captchas were solved.", _RETRY_SECONDS)
            self._used[nonce] = self._clock() + ttl_seconds
        return self._claim_everywhere(nonce, ttl_seconds)

    def _claim_everywhere(self, nonce: str, ttl_seconds: float) -> bool:
        server = self._server
        if server is None or not server.writing.allows():
            return True
        try:
            with server.asked(server.writing):
                was_set: object = server.client.set(
                    f"{server.prefix}nonce:{nonce}", b"", nx=True, px=int(ttl_seconds * 1000)
                )
                if was_set not in {True, None}:
                    raise TypeError("SET: neither OK nor nil")
        except StoreError as error:
            self._observe(CacheFailed("nonce", str(error)))
            return True
        return was_set is True
