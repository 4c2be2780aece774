"""Who was refused, and why: counted, and told in the log as far as a storm of them allows."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from flask import Response, g, request
from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry

from gistapi.events import CountingFailed, Event
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
"""So many of one kind are told in one window."""
WINDOW_SECONDS = 60.0

_log = logging.getLogger(__name__)


@dataclass
class _Window:
    began_at: float
    told: int = 0
    left_out: int = 0


class RejectionLog:
    """The refused requests of one application. For any thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "gistapi_refusals",
            "Requests refused for who asks or how much, by the code of the answer.",
            ("code",),
            registry=registry,
        )
        for code in REFUSALS:
            self._requests.labels(code)  # so that the first is seen as an increase
        self._failures = Counter(
            "gistapi_limits_failures",
            "RateLimits that could not be checked, for the store of the counters failed.",
            registry=registry,
        )
        self._lock = threading.Lock()
        self._windows: dict[ErrorCode, _Window] = {}

    def observe(self, event: Event) -> None:
        """Count what limits could not do (an Observer)."""
        if isinstance(event, CountingFailed):
            self._failures.inc()

    def after_request(self, response: Response) -> Response:
        """Tell of a refusal; `g.error_code` is the code that the answer has."""
        code: ErrorCode | None = g.get("error_code")
        if code in REFUSALS:
            self._requests.labels(code).inc()
            self._tell(code)
        return response

    def _tell(self, code: ErrorCode) -> None:
        with self._lock:
            now = time.monotonic()
            window = self._windows.setdefault(code, _Window(now))
            left_out = 0
            if now >= window.began_at + WINDOW_SECONDS:
                left_out = window.left_out
                window = self._windows[code] = _Window(now)
            window.told += 1
            window.left_out += window.told > LINES
            told = window.told
        if left_out:
            _log.warning("refused, not told one by one", extra={"code": code, "requests": left_out})
        if told <= LINES:
            caller = g.get("caller")
            address = caller.address if caller else request.remote_addr
            _log.warning("refused", extra={"code": code, "address": address})
        elif told == LINES + 1:
            _log.warning("refused: more of them are only counted", extra={"code": code})
