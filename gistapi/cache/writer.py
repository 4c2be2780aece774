"""Writes entries to the store in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from gistapi.cache.contract import Store, StoreError
from gistapi.events import CacheFailed, Observer

MAX_QUEUED_BYTES = 32 * 2**20
"""The size of the queue; entries beyond it are dropped."""

_MAX_USED = 20_000
_BATCH_BYTES = 4 * 2**20
_BATCH_ENTRIES = 500
_LINGER_SECONDS = 0.25
"""How long a batch grows: each transaction writes pages of the indexes again."""
_CLOSE_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Writer:
    """A queue of entries, the latest for each key, and one thread that writes them in batches.

    The thread starts with the first work; no error ends it. Entries count as stored while they
    are queued, those of None as removed. A failed batch is dropped with the rest of the queue, and
    so are entries of the next seconds.
    """

    def __init__(self, store: Store, observe: Observer, probe: Callable[[], None]) -> None:
        self._store = store
        self._observe = observe
        self._probe = probe
        self._changed = threading.Condition()
        self._queued: dict[str, bytes | None] = {}
        self._queued_bytes = 0
        self._writing: dict[str, bytes | None] = {}
        self._used: dict[str, None] = {}
        self._probing = False
        self._busy = False
        self._hurry = False
        self._closed = False
        self._thread: threading.Thread | None = None

    def put(self, key: str, value: bytes | None) -> bool:
        """Queue an entry to be written, or removed (None); False if it is dropped.

        Entries are dropped while the queue is full, and after writing has failed.
        """
        with self._changed:
            if self._closed:
                return False
            breaker = self._store.writing
            cause = None if breaker.due() else breaker.cause
            more_bytes = len(value or b"") - len(self._queued.get(key) or b"")
            if cause is None and self._queued_bytes + more_bytes <= MAX_QUEUED_BYTES:
                first = not self._queued
                self._queued[key] = value
                self._queued_bytes += more_bytes
                if first or self._ripe():  # waking it for each entry would cost more than writing
                    self._work()
                return True
        self._observe(CacheFailed("write", f"dropped: {cause or 'too much is waiting'}"))
        return False

    def use(self, keys: Iterable[str]) -> None:
        """Queue the use of these entries to be recorded."""
        with self._changed:
            if (
                not self._closed
                and self._store.writing.cause is None
                and len(self._used) < _MAX_USED
            ):
                self._used.update(dict.fromkeys(keys))
                self._work()

    def ask(self) -> None:
        """Have the store probed."""
        with self._changed:
            if not self._closed:
                self._probing = True
                self._work()

    def waiting(self, keys: Iterable[str]) -> dict[str, bytes | None]:
        """Return those of the entries that are queued or being written."""
        with self._changed:
            if not self._queued and not self._writing:
                return {}
            waiting = self._writing | self._queued
            return {key: waiting[key] for key in keys if key in waiting}

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until the queue is empty; False on timeout."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(self._idle, timeout_seconds)

    def close(self) -> None:
        """Flush for a second at most and end the thread."""
        with self._changed:
            self._closed = True
        self.flush(_CLOSE_SECONDS)
        with self._changed:
            self._queued = {}
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(_CLOSE_SECONDS)

    def _work(self) -> None:
        """Wake the thread; start it if there is none (the lock is held)."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="gistapi-cache", daemon=True)
            try:
                self._thread.start()
            except RuntimeError as error:  # no more threads are allowed: tried again next time
                self._thread = None
                self._drop(StoreError("no thread can be started", error), [])
        self._changed.notify_all()

    def _idle(self) -> bool:
        return not (self._queued or self._used or self._probing or self._busy)

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            entries, used, probing = batch
            try:
                if probing:
                    self._probe()
                if entries or used or (probing and self._store.writing.due()):
                    self._store.write(list(entries.items()) or [("probe", b"")], used)
                    self._store.writing.worked()
            except StoreError as error:
                self._drop(error, entries)
            except Exception as error:  # noqa: BLE001  pylint: disable=broad-exception-caught
                _log.exception("The cache's writer met an error it does not know; it goes on.")
                self._drop(StoreError("an unexpected error", type(error).__name__), entries)

    def _take(self) -> tuple[dict[str, bytes | None], list[str], bool] | None:
        """Wait for work; returns entries, used keys and whether to probe, None at the end."""
        with self._changed:
            self._busy, self._writing = False, {}
            self._hurry = self._hurry and not self._idle()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or not self._idle())
            if self._closed and self._idle():
                return None
            self._changed.wait_for(self._ripe, _LINGER_SECONDS)
            self._busy = True
            self._writing = self._next_entries()
            used, self._used = list(self._used), {}
            probing, self._probing = self._probing, False
            return self._writing, used, probing

    def _ripe(self) -> bool:
        return self._closed or self._hurry or self._probing or self._queued_bytes >= _BATCH_BYTES

    def _next_entries(self) -> dict[str, bytes | None]:
        entries: dict[str, bytes | None] = {}
        size_bytes = 0
        for key, value in self._queued.items():
            value_bytes = len(value or b"")
            if entries and size_bytes + value_bytes > _BATCH_BYTES:
                break
            entries[key] = value
            size_bytes += value_bytes
            if len(entries) == _BATCH_ENTRIES:
                break
        for key in entries:
            del self._queued[key]
        self._queued_bytes -= size_bytes
        return entries

    def _drop(self, error: StoreError, entries: Iterable[str]) -> None:
        """Record a failure: these entries and the queue are lost."""
        self._store.writing.failed(error.cause)
        with self._changed:
            dropped = len(list(entries)) + len(self._queued)
            self._queued, self._queued_bytes, self._used = {}, 0, {}
            self._probing = False
        for _ in range(dropped or 1):
            self._observe(CacheFailed("write", str(error)))
