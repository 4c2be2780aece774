"""A store in the memory of the process."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from cachetools import LRUCache

from gistapi.cache.breaker import Breaker

_ENTRY_BYTES = 300
"""Memory of an entry besides its value: the key, two object headers, a slot in the mapping."""


def entry_bytes(value: bytes) -> int:
    """Return the approximate size in memory of an entry with this value."""
    return len(value) + _ENTRY_BYTES


class MemoryStore:
    """A Store that evicts the least recently used entries beyond `max_bytes`; 0 stores nothing."""

    def __init__(self, max_bytes: int) -> None:
        self.reading, self.writing = Breaker("reading"), Breaker("writing")
        self.max_content_bytes = max_bytes // 8 if max_bytes else -1
        self._lock = threading.Lock()
        self._entries: LRUCache[str, bytes] = LRUCache(max_bytes, entry_bytes)

    def read(self, keys: Sequence[str]) -> tuple[list[tuple[str, bytes]], list[str]]:
        """Return the stored entries; see Store."""
        with self._lock:
            return [(key, self._entries[key]) for key in keys if key in self._entries], []

    def write(self, entries: Sequence[tuple[str, bytes | None]], used: Sequence[str]) -> None:  # noqa: ARG002  a read is a use
        """Store entries; see Store."""
        with self._lock:
            for key, value in entries:
                self._entries.pop(key, None)
                if value is not None and entry_bytes(value) <= self._entries.maxsize:
                    self._entries[key] = value

    def size_bytes(self) -> int:
        """Return the size of the entries."""
        return int(self._entries.currsize)

    def close(self) -> None:
        """Drop everything."""
        with self._lock:
            self._entries.clear()
