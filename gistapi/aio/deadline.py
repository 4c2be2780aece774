"""How long work may go on: a deadline, and a way to call work off, handed down to all who do it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gistapi.errors import CancelledError, DeadlineError


class Deadline:
    """A moment after which work stops, and a switch that stops it before.

    Threads that work under it call `check` between steps, wait with `sleep`, and cap what blocks
    by `remaining`; what blocks all the same can be woken by a callback (`on_cancel`).
    Moments are `time.monotonic()` seconds. A child ends with its parent, never the other way round.
    """

    def __init__(self, seconds: float, parent: Deadline | None = None) -> None:
        self.ends_at = time.monotonic() + seconds
        if parent is not None:
            self.ends_at = min(self.ends_at, parent.ends_at)
        self._parent = parent
        self._lock = threading.Lock()
        self._cancelled = False
        self._callbacks: dict[object, Callable[[], None]] = {}
        self._detach = parent.attach(self.cancel) if parent is not None else None

    @property
    def cancelled(self) -> bool:
        """Whether the work was called off."""
        return self._cancelled

    def remaining(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.ends_at - time.monotonic())

    def check(self) -> None:
        """Raise CancelledError or DeadlineError when the work has to stop."""
        if self._cancelled:
            raise CancelledError("the work was called off")
        if time.monotonic() >= self.ends_at:
            raise DeadlineError("the deadline has passed")

    def sleep(self, seconds: float) -> None:
        """Wait, and raise as `check` does as soon as the work has to stop."""
        woken = threading.Event()
        with self.on_cancel(woken.set):
            woken.wait(min(seconds, self.remaining()))
        self.check()

    def child(self, seconds: float = float("inf")) -> Deadline:
        """A deadline inside this one, which can be called off alone; `release` it when done."""
        return Deadline(seconds, parent=self)

    def release(self) -> None:
        """Forget this child in its parent."""
        if self._detach is not None:
            self._detach()

    def cancel(self) -> None:
        """Call the work off; callbacks run in the calling thread, each once."""
        with self._lock:
            self._cancelled = True
            callbacks, self._callbacks = list(self._callbacks.values()), {}
        for callback in callbacks:
            callback()

    def attach(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Run `callback` when the work is called off (now, if it was); returns the undo."""
        key = object()
        with self._lock:
            if not self._cancelled:
                self._callbacks[key] = callback
                return lambda: self._forget(key)
        callback()
        return lambda: None

    @contextmanager
    def on_cancel(self, callback: Callable[[], None]) -> Iterator[None]:
        """Run `callback` if the work is called off while the body runs."""
        undo = self.attach(callback)
        try:
            yield
        finally:
            undo()

    def _forget(self, key: object) -> None:
        with self._lock:
            self._callbacks.pop(key, None)
