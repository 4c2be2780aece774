"""Writes in the background what the searching threads leave for the store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from gistapi.cache.breaker import Breaker
from gistapi.cache.contract import Store, StoreError
from gistapi.events import CacheFailed, Observer

MAX_QUEUED_BYTES = 32 * 2**20
"""What may wait to be written; what comes beyond is dropped."""

_MAX_USED = 20_000
_BATCH_BYTES = 4 * 2**20
_BATCH_ENTRIES = 500
_LINGER_SECONDS = 0.05
_CLOSE_SECONDS = 1.0


class Writer:
    """A queue of entries, the latest for each key, and one thread that writes them in batches.

    The thread starts with the first work. Entries count as there while they wait. A failed batch is
    dropped with all that waits behind it, and what comes in the next seconds too.
    """

    def __init__(self, store: Store, observe: Observer, probe: Callable[[], None]) -> None:
        self.breaker = Breaker("writing")
        self._store = store
        self._observe = observe
        self._probe = probe
        self._changed = threading.Condition()
        self._queued: dict[str, bytes] = {}
        self._queued_bytes = 0
        self._writing: dict[str, bytes] = {}
        self._used: dict[str, None] = {}
        self._probing = False
        self._busy = False
        self._hurry = False
        self._closed = False
        self._thread: threading.Thread | None = None

    def put(self, key: str, value: bytes) -> None:
        """Have an entry written; drops it when too much waits, or writing has just failed."""
        with self._changed:
            if self._closed:
                return
            error = self.breaker.error if not self.breaker.due() else None
            queued_bytes = self._queued_bytes + len(value) - len(self._queued.get(key, b""))
            if error is None and queued_bytes <= MAX_QUEUED_BYTES:
                first = not self._queued
                self._queued[key] = value
                self._queued_bytes = queued_bytes
                if first or self._ripe():  # waking it for each would cost more than the writing
                    self._work()
                return
        self._observe(CacheFailed("write", f"dropped: {error or 'too much is waiting'}"))

    def use(self, keys: Iterable[str]) -> None:
        """Have it noted that these entries were used."""
        with self._changed:
            if not self._closed and self.breaker.error is None and len(self._used) < _MAX_USED:
                self._used.update(dict.fromkeys(keys))
                self._work()

    def ask(self) -> None:
        """Have it tried whether the store works again."""
        with self._changed:
            if not self._closed:
                self._probing = True
                self._work()

    def waiting(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Those of the entries that wait to be written, or are being written."""
        with self._changed:
            if not self._queued and not self._writing:
                return {}
            waiting = self._writing | self._queued
            return {key: waiting[key] for key in keys if key in waiting}

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until nothing waits any more; False when the time was too short."""
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
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="gistapi-cache", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _idle(self) -> bool:
        return not (self._queued or self._used or self._probing or self._busy)

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            entries, used, probing = batch
            if probing:
                self._try_again()
            if entries or used:
                self._write(entries, used)

    def _take(self) -> tuple[dict[str, bytes], list[str], bool] | None:
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

    def _next_entries(self) -> dict[str, bytes]:
        entries: dict[str, bytes] = {}
        size_bytes = 0
        for key, value in self._queued.items():
            if entries and size_bytes + len(value) > _BATCH_BYTES:
                break
            entries[key] = value
            size_bytes += len(value)
            if len(entries) == _BATCH_ENTRIES:
                break
        for key in entries:
            del self._queued[key]
        self._queued_bytes -= size_bytes
        return entries

    def _write(self, entries: dict[str, bytes], used: list[str]) -> None:
        try:
            self._store.write(list(entries.items()), used)
        except StoreError as error:
            self.breaker.failed(str(error))
            with self._changed:
                dropped = len(entries) + len(self._queued)
                self._queued, self._queued_bytes, self._used = {}, 0, {}
            for _ in range(dropped or 1):
                self._observe(CacheFailed("write", str(error)))
        else:
            self.breaker.worked()

    def _try_again(self) -> None:
        self._probe()
        if self.breaker.due():
            self._write({"probe": b""}, [])
