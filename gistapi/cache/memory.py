"""The cache that lives and dies with its process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping

from gistapi.cache.contract import MAX_CONTENT_BYTES, is_blob
from gistapi.events import CacheFailed, CacheRead, CacheStatus, Observer

_ENTRY_BYTES = 300
"""What Python needs for an entry besides its value: key, two headers, a place in the mapping."""


class MemoryCache:
    """A Cache in a mapping that forgets the least recently used beyond `max_bytes`.

    With 0 bytes it keeps nothing: that is the cache named `off`.
    """

    def __init__(self, max_bytes: int, observe: Observer) -> None:
        self._max_bytes = max_bytes
        self._observe = observe
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, bytes] = OrderedDict()
        self._size_bytes = 0
        self._closed = False

    def get_contents(self, blobs: Mapping[str, int | None]) -> Iterator[tuple[str, bytes]]:
        """Yield the contents that are there; see Cache."""
        found = [(blob, content) for blob in blobs if (content := self._get(blob)) is not None]
        self._observe(CacheRead("content", len(found), len(blobs) - len(found)))
        yield from found

    def put_content(self, blob_sha: str, content: bytes) -> None:
        """Keep a content at once; see Cache."""
        if len(content) > min(MAX_CONTENT_BYTES, self._max_bytes):
            return
        if is_blob(blob_sha, content):
            self.keep(blob_sha, content)
        else:
            self._observe(CacheFailed("put_content", "the content has another SHA-1"))

    def keep(self, blob_sha: str, content: bytes) -> None:
        """Keep a content that is known to hash to `blob_sha`."""
        self._put(blob_sha, content)

    def get_listing(self, key: str) -> bytes | None:
        """The listing last put under this key; see Cache."""
        return self._get(f"listing:{key}")

    def put_listing(self, key: str, listing: bytes) -> None:
        """Keep a listing at once; see Cache."""
        self._put(f"listing:{key}", listing)

    def flush(self, timeout_seconds: float) -> bool:  # noqa: ARG002  nothing ever waits
        """All is written: True."""
        return True

    def status(self) -> CacheStatus:
        """Always `ok`."""
        return CacheStatus("ok", size_bytes=self._size_bytes)

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._closed = True
            self._entries.clear()
            self._size_bytes = 0

    def _get(self, key: str) -> bytes | None:
        with self._lock:
            value = self._entries.get(key)
            if value is not None:
                self._entries.move_to_end(key)
            return value

    def _put(self, key: str, value: bytes) -> None:
        with self._lock:
            self._forget(key)
            if self._closed or len(value) + _ENTRY_BYTES > self._max_bytes:
                return
            self._entries[key] = value
            self._size_bytes += len(value) + _ENTRY_BYTES
            while self._size_bytes > self._max_bytes:
                self._forget(next(iter(self._entries)))

    def _forget(self, key: str) -> None:
        value = self._entries.pop(key, None)
        if value is not None:
            self._size_bytes -= len(value) + _ENTRY_BYTES
