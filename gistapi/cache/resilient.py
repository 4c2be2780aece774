"""The cache over a store that can fail: bulk reads, writes in the background, circuit breakers."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing

from gistapi.cache.blobs import MAX_CONTENT_BYTES, is_blob
from gistapi.cache.contract import Store, StoreError
from gistapi.cache.hot import HotContents
from gistapi.cache.large import ContentSink, read_parts
from gistapi.cache.writer import Writer
from gistapi.errors import CacheMissError
from gistapi.events import CacheFailed, CacheRead, CacheStatus, Observer

_BATCH_BYTES = 4 * 2**20
_BATCH_KEYS = 500
_ASSUMED_BYTES = 2**18
"""The assumed size of a content of unknown size, when batches are split."""

_PATIENCE_SECONDS = 1.0
_PATIENCE_PER_BATCH_SECONDS = 0.25
"""The limit for all reading of one search; beyond it the store counts as failed."""
_READERS = 4
"""More would only wait for each other, for the interpreter and the store, and that waiting would
make the store look slow."""


class ResilientCache:
    """A Cache over any Store.

    What is read is verified: contents by their name, listings by a digest stored with them. Up to
    `hot_bytes` of the contents read last stay in memory. `clock` returns seconds.
    """

    def __init__(
        self,
        store: Store,
        observe: Observer,
        *,
        hot_bytes: int = 0,
        max_file_bytes: int = MAX_CONTENT_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._observe = observe
        self._max_file_bytes = max_file_bytes
        self._clock = clock
        self._turns = threading.Semaphore(_READERS)
        self._asked = False
        self._closed = False
        self._writer = Writer(store, observe, self._probe)
        self._hot = HotContents(hot_bytes)

    def get_contents(self, blobs: Mapping[str, int | None]) -> Iterator[tuple[str, bytes]]:
        """Yield the stored contents; see Cache."""
        hot = self.contents_in_memory(blobs)
        yield from hot.items()
        patience_seconds = _PATIENCE_SECONDS
        for batch in _batches({blob: size for blob, size in blobs.items() if blob not in hot}):
            patience_seconds += _PATIENCE_PER_BATCH_SECONDS
            with self._turns:
                started = self._clock()
                values = self._read("get_contents", [f"blob:{blob}" for blob in batch])
                patience_seconds -= self._clock() - started
            found = [(key.removeprefix("blob:"), content) for key, content in values]
            found = [entry for entry in found if self._is_whole(*entry)]
            self._observe(CacheRead("content", len(found), len(batch) - len(found)))
            if patience_seconds < 0:
                self._read_failed("get_contents", StoreError("the store is slow"))
            self._hot.put(found, self._clock())
            yield from found

    def contents_in_memory(self, blobs: Iterable[str]) -> dict[str, bytes]:
        """Return the contents read last; see Cache."""
        hot = self._hot.get(blobs, self._clock())
        if hot:
            self._observe(CacheRead("content", len(hot), 0))
        return hot

    def put_content(self, blob_sha: str, content: bytes) -> None:
        """Queue a content to be written; see Cache."""
        if len(content) <= self._limit_bytes(MAX_CONTENT_BYTES) and is_blob(blob_sha, content):
            self._writer.put(f"blob:{blob_sha}", content)

    def open_content(
        self, blob_sha: str, size_bytes: int
    ) -> AbstractContextManager[Iterator[bytes]] | None:
        """Return a content's chunks; see Cache."""
        if size_bytes <= MAX_CONTENT_BYTES:
            found = [content for _, content in self.get_contents({blob_sha: size_bytes})]
            return closing(_each(found)) if found else None
        name = self._read_one("open_content", f"large:{blob_sha}")
        self._observe(CacheRead("content", int(name is not None), int(name is None)))
        if name is None:
            return None
        return closing(self._large(blob_sha, size_bytes, name))

    def store_content(self, blob_sha: str, size_bytes: int) -> ContentSink:
        """Return a sink for a content; see Cache."""
        kept = size_bytes <= self._limit_bytes(max(self._max_file_bytes, MAX_CONTENT_BYTES))
        return ContentSink(self._writer.put, blob_sha, size_bytes, kept=kept)

    def get_listing(self, key: str) -> bytes | None:
        """Return the listing last put under this key; see Cache."""
        sealed = self._read_one("get_listing", f"listing:{key}")
        listing = None if sealed is None else _unseal(key, sealed)
        if sealed is not None and listing is None:
            self._observe(CacheFailed("get_listing", "the listing is damaged"))
        return listing

    def put_listing(self, key: str, listing: bytes) -> None:
        """Queue a listing to be written; see Cache."""
        if self._store.max_content_bytes >= 0:
            self._writer.put(f"listing:{key}", _digest(key, listing) + listing)

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that was put is written or dropped; see Cache."""
        return self._writer.flush(timeout_seconds)

    def status(self) -> CacheStatus:
        """Return the cache's last known state, and have a failing store probed in time."""
        if not self._asked or self._is_due():
            self._asked = True
            self._writer.ask()
        message = self._store.reading.message or self._store.writing.message
        return CacheStatus("warn" if message else "ok", message, self._store.size_bytes())

    def close(self) -> None:
        """Write what is queued, for a second at most, and release the store; see Cache."""
        self._closed = True
        self._writer.close()
        self._store.close()
        self._hot.close()

    def _limit_bytes(self, wanted_bytes: int) -> int:
        return min(wanted_bytes, self._store.max_content_bytes)

    def _large(self, blob_sha: str, size_bytes: int, name: bytes) -> Generator[bytes]:
        def read(key: str) -> bytes | None:
            return self._read_one("open_content", key)

        try:
            yield from read_parts(read, blob_sha, size_bytes, name)
        except CacheMissError as error:
            self._observe(CacheFailed("open_content", str(error)))
            self._writer.put(f"large:{blob_sha}", None)
            raise

    def _read_one(self, operation: str, key: str) -> bytes | None:
        values = self._read(operation, [key])
        return values[0][1] if values else None

    def _read(self, operation: str, keys: list[str]) -> list[tuple[str, bytes]]:
        """The entries that are queued or stored; none if reading fails."""
        waiting = self._writer.waiting(keys)
        keys = [key for key in keys if key not in waiting]
        found: list[tuple[str, bytes]] = []
        if keys and not self._closed and self._may_read(operation):
            try:
                found, used = self._store.read(keys)
            except StoreError as error:
                self._read_failed(operation, error)
            else:
                self._writer.use(used)
        return [(key, value) for key, value in waiting.items() if value is not None] + found

    def _may_read(self, operation: str) -> bool:
        cause = self._store.reading.cause
        if cause is None:
            return True
        if self._is_due():
            self._writer.ask()
        self._observe(CacheFailed(operation, f"skipped: {cause}"))
        return False

    def _is_due(self) -> bool:
        return self._store.reading.due() or self._store.writing.due()

    def _read_failed(self, operation: str, error: StoreError) -> None:
        self._store.reading.failed(error.cause)
        self._observe(CacheFailed(operation, str(error)))

    def _probe(self) -> None:
        """Read something in the background: searches never wait for a store that has failed."""
        started = self._clock()
        try:
            self._store.read(["probe"])
        except StoreError as error:
            self._read_failed("probe", error)
            return
        if self._clock() - started > _PATIENCE_SECONDS:
            self._read_failed("probe", StoreError("the store is slow"))
        else:
            self._store.reading.worked()

    def _is_whole(self, blob_sha: str, content: bytes) -> bool:
        whole = is_blob(blob_sha, content)
        if not whole:
            self._observe(CacheFailed("get_contents", "a content is damaged"))
        return whole


def _each(chunks: list[bytes]) -> Generator[bytes]:
    yield from chunks


def _batches(blobs: Mapping[str, int | None]) -> Iterator[list[str]]:
    """Split keys into batches by number, and by bytes as far as sizes are known."""
    batch: list[str] = []
    room_bytes = _BATCH_BYTES
    for blob, known_bytes in blobs.items():
        size_bytes = _ASSUMED_BYTES if known_bytes is None else known_bytes
        if batch and (size_bytes > room_bytes or len(batch) == _BATCH_KEYS):
            yield batch
            batch, room_bytes = [], _BATCH_BYTES
        batch.append(blob)
        room_bytes -= min(size_bytes, MAX_CONTENT_BYTES)
    if batch:
        yield batch


def _digest(key: str, listing: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + listing).digest()


def _unseal(key: str, sealed: bytes) -> bytes | None:
    """The listing in a stored value; None if it was not put under this key."""
    listing = sealed[32:]
    return listing if sealed[:32] == _digest(key, listing) else None
