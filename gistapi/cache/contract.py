"""What a cache promises to the search, and what a store promises to the cache.

Bytes only: when a listing is fresh, and which way to GitHub brings what is missing, is decided
elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from gistapi.cache.breaker import Breaker
from gistapi.cache.large import ContentSink
from gistapi.events import CacheStatus


class Cache(Protocol):
    """Contents by git blob SHA-1 and listings by key, for any thread.

    No method raises for a store that fails: a read is a miss, a write is dropped, and the observer
    receives CacheFailed. A store that is down or slow costs a caller about a second once; it is
    then left alone until a try in the background shows that it works again.
    """

    def get_contents(self, blobs: Mapping[str, int | None]) -> Iterator[tuple[str, bytes]]:
        """Yield the contents that are there as (SHA-1, content), in any order, each at most once.

        `blobs` maps 40 lower-case hex digits to the size in bytes, None if unknown. Reads in bulk
        as the caller goes on, at most a few MiB ahead. Larger contents than MAX_CONTENT_BYTES are
        never among them.
        """
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
        """Return a content of any size as chunks of at most 1 MiB; None if it is not there.

        Reading proves it: the last chunk comes only if all of them hash to `blob_sha`. Raises
        CacheMissError from the iterator if they do not, or if a part has been evicted.
        """
        ...

    def store_content(self, blob_sha: str, size_bytes: int) -> ContentSink:
        """Return a sink for a content of any size, which keeps it once it is whole and proved."""
        ...

    def get_listing(self, key: str) -> bytes | None:
        """Return the listing last put under this key, None if there is none."""
        ...

    def put_listing(self, key: str, listing: bytes) -> None:
        """Keep a listing in place of an earlier one; returns at once, written in the background."""
        ...

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that was put is written or dropped; False if the time was too short."""
        ...

    def status(self) -> CacheStatus:
        """Return how the cache was last seen. Never waits."""
        ...

    def close(self) -> None:
        """Write what is waiting, for a second at most, and release everything. Idempotent.

        A closed cache misses and drops.
        """
        ...


class StoreError(Exception):
    """A store failed. `cause` says why in words, the message adds the library's own."""

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
    """Contents that are larger than this are not kept; less than 0: none is."""

    def read(self, keys: Sequence[str]) -> tuple[list[tuple[str, bytes]], list[str]]:
        """Return the entries that are there, in any order, and the keys to note the use of."""
        ...

    def write(self, entries: Sequence[tuple[str, bytes | None]], used: Sequence[str]) -> None:
        """Keep entries in place of earlier ones, remove those of None, note the use of others.

        One thread at a time calls it. An entry too large for the store is left out.
        """
        ...

    def size_bytes(self) -> int | None:
        """Return what the store takes up; None if that is not known. Raises nothing."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...
