"""Stores large contents in parts, as they arrive. They can be read once complete and verified."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from gistapi.cache.blobs import MAX_CONTENT_BYTES, blob_hash
from gistapi.errors import CacheMissError

PART_BYTES = 2**19
_ID_BYTES = 8


class ContentSink:
    """Stores one content as it arrives. Never blocks: what cannot be stored is dropped.

    Parts are stored under a random id, so that a failed attempt or another sink for the same
    content does not disturb a complete one; the entry written last names the id. `put` writes an
    entry, or removes it if the value is None, and returns whether it was accepted.
    """

    def __init__(
        self,
        put: Callable[[str, bytes | None], bool],
        blob_sha: str,
        size_bytes: int,
        *,
        kept: bool,
    ) -> None:
        self._put = put
        self._blob_sha = blob_sha
        self._kept = kept
        self._small = size_bytes <= MAX_CONTENT_BYTES
        self._left_bytes = size_bytes
        self._hash = blob_hash(size_bytes)
        self._id = os.urandom(_ID_BYTES)
        self._buffer = bytearray()
        self._parts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, chunk: bytes) -> None:
        """Add the next bytes."""
        self._left_bytes -= len(chunk)
        if not self._kept or self._left_bytes < 0:
            self._drop()
            return
        self._hash.update(chunk)
        self._buffer += chunk
        while len(self._buffer) >= PART_BYTES and not self._small:
            self._put_part()

    def close(self) -> None:
        """Store a content that is complete and hashes to `blob_sha`, else drop it. Idempotent."""
        if self._kept and not self._left_bytes and self._hash.hexdigest() == self._blob_sha:
            if self._small:
                self._put(f"blob:{self._blob_sha}", bytes(self._buffer))
            else:
                while self._buffer:
                    self._put_part()
                if self._parts and self._put(f"large:{self._blob_sha}", self._id):
                    self._parts = 0
        self._drop()

    def _put_part(self) -> None:
        part = bytes(self._buffer[:PART_BYTES])
        del self._buffer[:PART_BYTES]
        if self._put(_part_key(self._id, self._parts), part):
            self._parts += 1
        else:
            self._drop()

    def _drop(self) -> None:
        self._kept = False
        self._buffer.clear()
        for number in range(self._parts):
            self._put(_part_key(self._id, number), None)
        self._parts = 0


def read_parts(
    read: Callable[[str], bytes | None], blob_sha: str, size_bytes: int, name: bytes
) -> Iterator[bytes]:
    """Yield the parts stored under an id; the last one only if they all hash to `blob_sha`.

    `read` returns an entry, or None if it is missing. Raises CacheMissError if a part is missing or
    damaged.
    """
    digest = blob_hash(size_bytes)
    for number in range(-(-size_bytes // PART_BYTES)):
        part = read(_part_key(name, number))
        is_last = (number + 1) * PART_BYTES >= size_bytes
        if part is None:
            raise CacheMissError("A part of a large content is missing in the cache.")
        digest.update(part)
        if is_last and digest.hexdigest() != blob_sha:
            raise CacheMissError("A large content in the cache is damaged.")
        yield part


def _part_key(name: bytes, number: int) -> str:
    return f"part:{name[:_ID_BYTES].hex()}:{number}"
