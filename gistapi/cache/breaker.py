"""A circuit breaker: stops the use of a store that fails, and allows an attempt after a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

RETRY_AFTER_SECONDS = 5.0
"""How long a store is not used after a failure."""


class Breaker:
    """Decides whether one kind of work on a store, `reading` or `writing`, may be tried.

    Thread-safe.
    """

    def __init__(self, kind: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._kind = kind
        self._clock = clock
        self._lock = threading.Lock()
        self._cause: str | None = None
        self._retry_at = 0.0

    @property
    def cause(self) -> str | None:
        """Why the work fails, in words without a path or host; None while it succeeds."""
        return self._cause

    @property
    def message(self) -> str | None:
        """The kind of work and the cause, as a sentence; None while it succeeds."""
        cause = self._cause
        return None if cause is None else f"{self._kind.capitalize()} fails: {cause}."

    def due(self) -> bool:
        """Whether the work failed long enough ago for another attempt."""
        return self._cause is not None and self._clock() >= self._retry_at

    def allows(self) -> bool:
        """Whether to try: always while it succeeds, else once in RETRY_AFTER_SECONDS."""
        with self._lock:
            if self._cause is None:
                return True
            now = self._clock()
            if now < self._retry_at:
                return False
            self._retry_at = now + RETRY_AFTER_SECONDS
            return True

    def failed(self, cause: str) -> None:
        """Record that the work failed just now."""
        with self._lock:
            self._cause = cause
            self._retry_at = self._clock() + RETRY_AFTER_SECONDS

    def worked(self) -> None:
        """Record that the work succeeded just now."""
        if self._cause is not None:
            with self._lock:
                self._cause = None
