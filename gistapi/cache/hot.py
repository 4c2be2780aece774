"""The contents read last, in the memory of the process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable

from gistapi.cache.memory import entry_bytes

REFRESH_SECONDS = 600
"""How long a content stays in memory; when it is read from its store again, that records a use."""


class HotContents:
    """Contents by blob SHA. Beyond `max_bytes`, the least recently used ones are dropped.

    Thread-safe. A search asks for hundreds of contents, and cachetools' mappings take several calls
    for each.
    """

    def __init__(self, max_bytes: int) -> None:
        self._left_bytes = self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()  # until which time

    def get(self, blobs: Iterable[str], now: float) -> dict[str, bytes]:
        """Return those of the contents that are kept and not too old."""
        found: dict[str, bytes] = {}
        kept = self._kept
        with self._lock:
            for blob in blobs:
                entry = kept.get(blob)
                if entry is not None and now < entry[1]:
                    kept.move_to_end(blob)
                    found[blob] = entry[0]
        return found

    def put(self, contents: Iterable[tuple[str, bytes]], now: float) -> None:
        """Keep contents that were read from their store."""
        with self._lock:
            for blob, content in contents:
                size = entry_bytes(content)
                if size > self._max_bytes:
                    continue
                self._drop(self._kept.pop(blob, None))
                self._left_bytes -= size
                self._kept[blob] = content, now + REFRESH_SECONDS
                while self._left_bytes < 0:
                    self._drop(self._kept.popitem(last=False)[1])

    def close(self) -> None:
        """Drop everything, and keep nothing more."""
        with self._lock:
            self._kept.clear()
            self._left_bytes = self._max_bytes = 0

    def _drop(self, entry: tuple[bytes, float] | None) -> None:
        if entry is not None:
            self._left_bytes += entry_bytes(entry[0])
