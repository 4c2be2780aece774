"""The cache over a store that can fail: bulk reads, writes in the background, a circuit breaker."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping

from gistapi.cache.breaker import Breaker
from gistapi.cache.contract import MAX_CONTENT_BYTES, Store, StoreError, is_blob
from gistapi.cache.writer import Writer
from gistapi.events import CacheFailed, CacheRead, CacheStatus, Observer

_BATCH_BYTES = 4 * 2**20
_BATCH_KEYS = 500
_ASSUMED_BYTES = 2**18
"""What a content of unknown size counts for when batches are cut."""

_PATIENCE_SECONDS = 1.0
_PATIENCE_PER_BATCH_SECONDS = 0.25
"""All reading for one search may take so long, or the store counts as failed."""
_READERS = 4
"""More at once would only wait for one another, for the interpreter and the store: a search that
waited so would take the store for slow."""


class ResilientCache:
    """A Cache over any Store.

    What is read proves itself: contents by their name, listings by a digest stored with them.
    """

    def __init__(self, store: Store, observe: Observer) -> None:
        self._store = store
        self._observe = observe
        self._reading = Breaker("reading")
        self._turns = threading.Semaphore(_READERS)
        self._asked = False
        self._closed = False
        self._writer = Writer(store, observe, self._probe)

    def get_contents(self, blobs: Mapping[str, int | None]) -> Iterator[tuple[str, bytes]]:
        """Yield the contents that are there; see Cache."""
        patience_seconds = _PATIENCE_SECONDS
        for batch in _batches(blobs):
            patience_seconds += _PATIENCE_PER_BATCH_SECONDS
            with self._turns:
                started = time.monotonic()
                values = self._read("get_contents", [f"blob:{blob}" for blob in batch])
                patience_seconds -= time.monotonic() - started
            found = [(key.removeprefix("blob:"), content) for key, content in values]
            found = [entry for entry in found if self._is_whole(*entry)]
            self._observe(CacheRead("content", len(found), len(batch) - len(found)))
            if patience_seconds < 0:
                self._read_failed("get_contents", "TimeoutError: the store is slow")
            yield from found

    def put_content(self, blob_sha: str, content: bytes) -> None:
        """Have a content written; see Cache."""
        if len(content) > MAX_CONTENT_BYTES:
            return
        if is_blob(blob_sha, content):
            self._writer.put(f"blob:{blob_sha}", content)
        else:
            self._observe(CacheFailed("put_content", "the content has another SHA-1"))

    def get_listing(self, key: str) -> bytes | None:
        """The listing last put under this key; see Cache."""
        values = self._read("get_listing", [f"listing:{key}"])
        listing = _unseal(key, values[0][1]) if values else None
        if values and listing is None:
            self._observe(CacheFailed("get_listing", "the listing is damaged"))
        return listing

    def put_listing(self, key: str, listing: bytes) -> None:
        """Have a listing written; see Cache."""
        self._writer.put(f"listing:{key}", _digest(key, listing) + listing)

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that was put is written or dropped; see Cache."""
        return self._writer.flush(timeout_seconds)

    def status(self) -> CacheStatus:
        """How the cache is, as last seen; has it looked again where that is worth it."""
        if not self._asked or self._reading.due() or self._writer.breaker.due():
            self._asked = True
            self._writer.ask()
        message = self._reading.message or self._writer.breaker.message
        return CacheStatus("warn" if message else "ok", message, self._store.size_bytes())

    def close(self) -> None:
        """Write what is waiting, for a second at most, and let go of the store."""
        self._closed = True
        self._writer.close()
        self._store.close()

    def _read(self, operation: str, keys: list[str]) -> list[tuple[str, bytes]]:
        """The entries that wait to be written or are in the store, none where that fails."""
        waiting = self._writer.waiting(keys)
        keys = [key for key in keys if key not in waiting]
        found: list[tuple[str, bytes]] = []
        if keys and not self._closed and self._may_read(operation):
            try:
                found, used = self._store.read(keys)
            except StoreError as error:
                self._read_failed(operation, str(error))
            else:
                self._writer.use(used)
        return [*waiting.items(), *found]

    def _may_read(self, operation: str) -> bool:
        error = self._reading.error
        if error is None:
            return True
        if self._reading.due():
            self._writer.ask()
        self._observe(CacheFailed(operation, f"skipped: {error}"))
        return False

    def _read_failed(self, operation: str, error: str) -> None:
        self._reading.failed(error)
        self._observe(CacheFailed(operation, error))

    def _probe(self) -> None:
        """Read something, in the background: searches never wait for a store that has failed."""
        started = time.monotonic()
        try:
            self._store.read(["probe"])
        except StoreError as error:
            self._read_failed("probe", str(error))
            return
        if time.monotonic() - started > _PATIENCE_SECONDS:
            self._read_failed("probe", "TimeoutError: the store is slow")
        else:
            self._reading.worked()

    def _is_whole(self, blob_sha: str, content: bytes) -> bool:
        whole = is_blob(blob_sha, content)
        if not whole:
            self._observe(CacheFailed("get_contents", "a content is damaged"))
        return whole


def _batches(blobs: Mapping[str, int | None]) -> Iterator[list[str]]:
    """Cut into what is read at once: by number, and by bytes as far as they are known."""
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
    """The listing in what was stored, None when it is not what was put under this key."""
    listing = sealed[32:]
    return listing if sealed[:32] == _digest(key, listing) else None
