"""The interfaces of a cache, for the search, and of a store, for the cache.

Both handle bytes only. The search decides how fresh a listing is, and where to read a content that
is not stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from gistapi.cache.breaker import Breaker
from gistapi.cache.large import ContentSink
from gistapi.events import CacheStatus


class Cache(Protocol):
    """Contents by git blob SHA-1 and listings by key, for any thread.

    No method raises for a store that fails: a read is a miss, a write is dropped, and the observer
    receives CacheFailed. A store that is down or slow costs a caller about a second once; it is
    then unused until a probe in the background shows that it works again.
    """

    def get_contents(self, blobs: Mapping[str, int | None]) -> Iterator[tuple[str, bytes]]:
        """Yield the stored contents as (SHA-1, content), in any order, each at most once.

        `blobs` maps 40 lower-case hex digits to the size in bytes, None if unknown. Reads in bulk
        as the caller iterates, at most a few MiB ahead. Contents over MAX_CONTENT_BYTES are
        not included.
        """
        ...

    def contents_in_memory(self, blobs: Iterable[str]) -> dict[str, bytes]:
        """Return those of these contents that need no store, by their SHA-1. Never waits."""
        ...

    def put_content(self, blob_sha: str, content: bytes) -> None:
        """Keep a content of at most MAX_CONTENT_BYTES; returns at once.

        The content is written in the background. It is dropped if it is larger, if it does not hash
        to `blob_sha` (old addresses carry a commit's SHA-1), or if too much is waiting.
        """
        ...

    def open_content(
        self, blob_sha: str, size_bytes: int
    ) -> AbstractContextManager[Iterator[bytes]] | None:
        """Return a content of any size as chunks of at most 1 MiB; None if it is not stored.

        Reading verifies it: the last chunk is yielded only if all of them hash to `blob_sha`.
        Raises CacheMissError from the iterator if they do not, or if a part has been evicted.
        """
        ...

    def store_content(self, blob_sha: str, size_bytes: int) -> ContentSink:
        """Return a sink for a content of any size, stored once it is complete and verified."""
        ...

    def get_listing(self, key: str) -> bytes | None:
        """Return the listing last put under this key, None if there is none."""
        ...

    def put_listing(self, key: str, listing: bytes) -> None:
        """Replace a listing; returns at once, and the listing is written in the background."""
        ...

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything put is written or dropped; returns False after the timeout."""
        ...

    def status(self) -> CacheStatus:
        """Return the cache's last known state. Never waits."""
        ...

    def close(self) -> None:
        """Write what is queued, for at most a second, and release everything. Idempotent.

        In a closed cache every read is a miss, and every write is dropped.
        """
        ...


class StoreError(Exception):
    """A store failed. `cause` says why in plain words, the message adds the library's own."""

    def __init__(self, cause: str, detail: object = "") -> None:
        super().__init__(f"{cause} ({detail})" if detail else cause)
        self.cause = cause


class Store(Protocol):
    """Stores a cache's bytes. Opens nothing before its first use; raises only StoreError.

    `reading` and `writing` are the breakers of the server or file, shared by all its users.
    """

    reading: Breaker
    writing: Breaker
    max_content_bytes: int
    """Maximum size of a content that is stored; negative if none is."""

    def read(self, keys: Sequence[str]) -> tuple[list[tuple[str, bytes]], list[str]]:
        """Return the stored entries, in any order, and the keys to pass to `write` as `used`."""
        ...

    def write(self, entries: Sequence[tuple[str, bytes | None]], used: Sequence[str]) -> None:
        """Store entries, or remove those whose value is None, and record that keys were used.

        Called by one thread at a time. An entry that is too large for the store is dropped.
        """
        ...

    def size_bytes(self) -> int | None:
        """Return the store's size; None if that is unknown. Raises nothing."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...
