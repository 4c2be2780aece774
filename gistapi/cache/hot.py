"""The contents read last stay in memory, for who tries one pattern after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from gistapi.cache.contract import Cache
from gistapi.cache.memory import MemoryCache
from gistapi.events import CacheRead, CacheStatus, Observer, ignore

REFRESH_SECONDS = 600
"""All is let go of now and then: what is read anew counts as used where it is kept."""


class HotCache:
    """A Cache before another, which has proved what it yields: up to `max_bytes` of that are kept.

    `clock` gives seconds.
    """

    def __init__(
        self,
        kept: Cache,
        max_bytes: int,
        observe: Observer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept = kept
        self._max_bytes = max_bytes
        self._observe = observe
        self._clock = clock
        self._memory = MemoryCache(max_bytes, ignore)
        self._since = clock()

    def get_contents(self, blobs: Mapping[str, int | None]) -> Iterator[tuple[str, bytes]]:
        """Yield the contents that are there; see Cache."""
        memory = self._fresh_memory()
        missing = dict(blobs)
        for blob, content in memory.get_contents(blobs):
            del missing[blob]
            yield blob, content
        if len(missing) < len(blobs):
            self._observe(CacheRead("content", len(blobs) - len(missing), 0))
        for blob, content in self._kept.get_contents(missing):
            memory.keep(blob, content)
            yield blob, content

    def put_content(self, blob_sha: str, content: bytes) -> None:
        """Keep a content; see Cache. It is in memory once it was read."""
        self._kept.put_content(blob_sha, content)

    def get_listing(self, key: str) -> bytes | None:
        """The listing last put under this key; see Cache."""
        return self._kept.get_listing(key)

    def put_listing(self, key: str, listing: bytes) -> None:
        """Keep a listing; see Cache."""
        self._kept.put_listing(key, listing)

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that was put is written or dropped; see Cache."""
        return self._kept.flush(timeout_seconds)

    def status(self) -> CacheStatus:
        """How the cache behind it is."""
        return self._kept.status()

    def close(self) -> None:
        """Forget, and close the cache behind it."""
        self._memory.close()
        self._kept.close()

    def _fresh_memory(self) -> MemoryCache:
        now = self._clock()
        if now - self._since > REFRESH_SECONDS:
            self._memory, self._since = MemoryCache(self._max_bytes, ignore), now
        return self._memory
