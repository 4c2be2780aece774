"""What a cache promises to the search, and what a store promises to the cache.

Bytes only: when a listing is to be trusted, and who asks GitHub for what is missing, is decided
elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from gistapi.events import CacheStatus

MAX_CONTENT_BYTES = 2**20
"""Larger contents are not kept."""

# From 2,048 bytes on hashlib frees the interpreter lock, and beside one busy thread each turn to
# get it back can take 5 ms: seconds for the 2,000 files of a search. Slices keep it.
_SLICE_BYTES = 2047


class Cache(Protocol):
    """Contents by git blob SHA-1 and listings by key, for any thread.

    No method raises for a store that fails: a read is a miss, a write is dropped, and the observer
    is told CacheFailed. A store that is down or slow costs a caller about a second once, and
    is then left alone until a try in the background shows that it works again.
    """

    def get_contents(self, blobs: Mapping[str, int | None]) -> Iterator[tuple[str, bytes]]:
        """Yield the contents that are there as (SHA-1, content), in any order, each at most once.

        `blobs` maps 40 lower-case hex digits to the size in bytes, None where it is unknown.
        Reads in bulk as the caller goes on, never more than a few MiB ahead.
        """
        ...

    def put_content(self, blob_sha: str, content: bytes) -> None:
        """Keep a content; returns at once.

        It is written in the background, and not at all when it is larger than
        MAX_CONTENT_BYTES, does not hash to `blob_sha`, or more is waiting than memory allows.
        """
        ...

    def get_listing(self, key: str) -> bytes | None:
        """The listing last put under this key, None when there is none."""
        ...

    def put_listing(self, key: str, listing: bytes) -> None:
        """Keep a listing in place of an earlier one; returns at once, written in the background."""
        ...

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that was put is written or dropped; False when the time was too short."""
        ...

    def status(self) -> CacheStatus:
        """How the cache is, as last seen; asks nobody, so never waits."""
        ...

    def close(self) -> None:
        """Write what is waiting, for a second at most, and let go of everything.

        May be called again; a closed cache misses and drops.
        """
        ...


class StoreError(Exception):
    """A store could not do what it was asked to; the message is `ErrorClass: what it said`."""


class Store(Protocol):
    """Where a cache keeps its bytes. Opens nothing before its first use; raises only StoreError."""

    def read(self, keys: Sequence[str]) -> tuple[list[tuple[str, bytes]], list[str]]:
        """The entries that are there, in any order, and the keys whose use is to be noted."""
        ...

    def write(self, entries: Sequence[tuple[str, bytes]], used: Sequence[str]) -> None:
        """Keep entries in place of earlier ones, and note that others were used.

        One thread at a time calls it. An entry too large for the store is left out.
        """
        ...

    def size_bytes(self) -> int | None:
        """What the store takes up; None where that can't be said. Raises nothing."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


def is_blob(blob_sha: str, content: bytes) -> bool:
    """Whether git names this content so: SHA-1 over `blob SIZE NUL` and the content.

    Source: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
    """
    digest = hashlib.sha1(b"blob %d\0" % len(content), usedforsecurity=False)
    view = memoryview(content)
    for start in range(0, len(content), _SLICE_BYTES):
        digest.update(view[start : start + _SLICE_BYTES])
    return digest.hexdigest() == blob_sha
