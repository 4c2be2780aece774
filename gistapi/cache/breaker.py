"""Leaves alone what does not work, and asks again after a while (a circuit breaker)."""

from __future__ import annotations

import threading
import time

RETRY_AFTER_SECONDS = 5.0
"""How long a store that failed is left alone."""


class Breaker:
    """Whether one kind of work (`reading`, `writing`) may be tried. For any thread."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._lock = threading.Lock()
        self._error: str | None = None
        self._retry_at = 0.0

    @property
    def error(self) -> str | None:
        """Why the work is left alone; None while it works."""
        return self._error

    @property
    def message(self) -> str | None:
        """What an operator is told: the kind of work and of error, no path and no host."""
        error = self._error
        return None if error is None else f"{self._kind} fails: {error.partition(':')[0]}"

    def due(self) -> bool:
        """Whether the work failed so long ago that it is worth another try."""
        return self._error is not None and time.monotonic() >= self._retry_at

    def failed(self, error: str) -> None:
        """The work failed just now; `error` begins with its class and a colon."""
        with self._lock:
            self._error = error
            self._retry_at = time.monotonic() + RETRY_AFTER_SECONDS

    def worked(self) -> None:
        """The work was done just now."""
        if self._error is not None:
            with self._lock:
                self._error = None
