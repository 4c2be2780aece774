"""The interface of a cache to the search, and of a store to the cache.

Both handle bytes only: how fresh a listing is, and where a missing content is read, is decided
elsewhere.
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

        It is written in the background, and dropped if it is larger, does not hash to `blob_sha`
        (old addresses carry a commit's SHA-1), or too much is waiting.
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
        """Wait until all that was put is written or dropped; False if the time was too short."""
        ...

    def status(self) -> CacheStatus:
        """Return the cache's last known state. Never waits."""
        ...

    def close(self) -> None:
        """Write what is queued, for a second at most, and release everything. Idempotent.

        A closed cache misses and drops.
        """
        ...


class StoreError(Exception):
    """A store failed. `cause` says why in plain words, the message adds the library's own."""

    def __init__(self, cause: str, detail: object = "") -> None:
        super().__init__(f"{cause} ({detail})" if detail else cause)
        self.cause = cause


class Store(Protocol):
    """Where a cache keeps its bytes. Opens nothing before its first use; raises only StoreError.

    `reading` and `writing` are the breakers of its server or file, shared by all who use that.
    """

    reading: Breaker
    writing: Breaker
    max_content_bytes: int
    """Larger contents are not stored; less than 0: none is."""

    def read(self, keys: Sequence[str]) -> tuple[list[tuple[str, bytes]], list[str]]:
        """Return the stored entries, in any order, and the keys whose use has to be recorded."""
        ...

    def write(self, entries: Sequence[tuple[str, bytes | None]], used: Sequence[str]) -> None:
        """Store entries in place of earlier ones, remove those of None, record the use of others.

        It is called by one thread at a time. An entry too large for the store is dropped.
        """
        ...

    def size_bytes(self) -> int | None:
        """Return the store's size; None if that is unknown. Raises nothing."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...
