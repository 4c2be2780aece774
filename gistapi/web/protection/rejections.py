"""Refused requests: counted by code, and logged within a bound."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry

from gistapi.events import CountingFailed, Handlers
from gistapi.search.report import ErrorCode

REFUSALS: frozenset[ErrorCode] = frozenset(
    {
        "unauthorized",
        "forbidden",
        "captcha_required",
        "rate_limited",
        "byte_quota_exceeded",
        "overloaded",
    }
)
LINES = 20
"""How many refusals of one code are logged in one window; the others are counted."""
WINDOW_SECONDS = 60.0

_log = logging.getLogger(__name__)


@dataclass
class _Window:
    began_at: float
    refused: int = 0


class Rejections:
    """The refused requests of one application. Thread-safe."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "gistapi_refusals",
            "Requests refused for their caller or its limits, by the answer's code.",
            ("code",),
            registry=registry,
        )
        for code in REFUSALS:
            self._requests.labels(code)  # so that the first is seen as an increase
        self._failures = Counter(
            "gistapi_limits_failures",
            "Limits that could not be checked because the store of the counters failed.",
            registry=registry,
        )
        self._lock = threading.Lock()
        self._windows: dict[ErrorCode, _Window] = {}

    @property
    def handlers(self) -> Handlers:
        """Counts limits that could not be checked."""
        return {CountingFailed: lambda _: self._failures.inc()}

    def level(self, code: ErrorCode) -> int:
        """Count a refusal; returns the level at which its request is logged.

        That is DEBUG after LINES of one code in a window, so that a flood of refusals does not
        fill the disk. The number of those not logged is added to the next window's first.
        """
        self._requests.labels(code).inc()
        with self._lock:
            now = time.monotonic()
            window = self._windows.setdefault(code, _Window(now))
            left_out = 0
            if now >= window.began_at + WINDOW_SECONDS:
                left_out = max(0, window.refused - LINES)
                window = self._windows[code] = _Window(now)
            window.refused += 1
            refused = window.refused
        if left_out:
            _log.warning("refusals not logged", extra={"code": code, "requests": left_out})
        if refused == LINES + 1:
            _log.warning("further refusals are only counted", extra={"code": code})
        return logging.WARNING if refused <= LINES else logging.DEBUG
