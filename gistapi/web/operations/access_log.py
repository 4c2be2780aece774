"""The process's log: JSON lines, or readable text.

A line carries structlog's context variables: within a request, its `request_id`. Patterns, user
names and tokens are never logged.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import structlog
from structlog.contextvars import merge_contextvars
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import EventDict, Processor, WrappedLogger

from gistapi.events import (
    CacheFailed,
    ContentRead,
    CountingFailed,
    Event,
    GithubLimited,
    GithubRequestEnded,
    Handlers,
    SearchEnded,
    WorkerKilled,
)
from gistapi.settings import Settings
from gistapi.web.operations.github_metrics import CALLED_OFF

_FIRST = ("time", "level", "logger", "message", "request_id")
_PLACED: tuple[Processor, ...] = (
    merge_contextvars,
    add_log_level,
    add_logger_name,
    ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ProcessorFormatter.remove_processors_meta,
)

FAILURES_SECONDS = 60.0
MAX_KINDS = 1000
"""Kinds of failures counted separately; bounded, because a kind contains a host and a message."""

_log = logging.getLogger(__name__)

_Failure = Callable[[Any], str | None]
"""The kind of failure that an event is, if it is one."""


class EventLog:
    """Logs events. Thread-safe.

    Failures of GitHub and of a store are warnings: one line a minute for each kind, with its
    number and its latest cause. Each single failure is logged at DEBUG.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, _Failures] = {}

    @property
    def handlers(self) -> Handlers:
        """Log an event, or nothing."""
        return {kind: partial(self._note, *how) for kind, how in _LOGGED.items()}

    def _note(self, level: int, message: str, failure: _Failure | None, event: Event) -> None:
        kind, is_logged = failure and failure(event), _log.isEnabledFor(level)
        if not kind and not is_logged:
            return
        fields = _fields(event)
        if kind:
            self._log_failure(kind, message, fields)
        if is_logged:
            _log.log(level, message, extra=fields)

    def _log_failure(self, kind: str, message: str, fields: dict[str, Any]) -> None:
        with self._lock:
            now = self._clock()
            if kind not in self._failures and len(self._failures) >= MAX_KINDS:
                self._failures.clear()
            failures = self._failures.setdefault(kind, _Failures(now - FAILURES_SECONDS))
            failures.count += 1
            if now < failures.logged_at + FAILURES_SECONDS:
                return
            failures.logged_at = now
            count, failures.count = failures.count, 0
        _log.warning(message, extra=fields | {"failures": count})


@dataclass
class _Failures:
    """One kind of failure: when it was last logged, and its number since."""

    logged_at: float
    count: int = 0


def _cache_failure(event: CacheFailed) -> str:
    return f"cache {event.operation}"


def _request_failure(event: GithubRequestEnded) -> str | None:
    """The kind of failure that a request is, None if it is none."""
    if not _failed(event):
        return None
    return f"{event.host} {event.kind} {event.status} {event.error}"


def _failed(event: GithubRequestEnded) -> bool:
    """Whether it is a failure of GitHub or the network; a deleted file (404) is none."""
    if event.status is None or event.status < HTTPStatus.BAD_REQUEST:
        return event.error is not None and event.error not in CALLED_OFF
    return event.status != HTTPStatus.NOT_FOUND


_LOGGED: dict[type[Event], tuple[int, str, _Failure | None]] = {
    SearchEnded: (logging.INFO, "search", None),
    GithubRequestEnded: (logging.DEBUG, "request to GitHub", _request_failure),
    GithubLimited: (logging.WARNING, "GitHub asks to wait", None),
    ContentRead: (logging.DEBUG, "content read from GitHub", None),
    WorkerKilled: (logging.WARNING, "matching worker ended", None),
    CacheFailed: (logging.DEBUG, "cache failed", _cache_failure),
    CountingFailed: (logging.DEBUG, "a limit could not be checked", lambda _: "counting"),
}


def _fields(event: Event) -> dict[str, Any]:
    fields = {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in asdict(event).items()
    }
    if "message" in fields:  # the name of a log record's own attribute
        fields["cause"] = fields.pop("message")
    return fields


class JsonFormatter(ProcessorFormatter):
    """One JSON object a line; time in UTC."""

    def __init__(self) -> None:
        super().__init__(
            processors=(
                *_PLACED,
                structlog.processors.format_exc_info,
                structlog.processors.EventRenamer("message"),
                _ordered,
                structlog.processors.JSONRenderer(),
            )
        )


class TextFormatter(ProcessorFormatter):
    """A readable line, coloured on a terminal unless NO_COLOR is set (https://no-color.org)."""

    def __init__(self) -> None:
        super().__init__(
            processors=(
                *_PLACED,
                structlog.dev.ConsoleRenderer(
                    colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"),
                    timestamp_key="time",
                    # The default shows the variables of each frame: patterns and tokens.
                    exception_formatter=structlog.dev.plain_traceback,
                ),
            )
        )


def configuration(settings: Settings) -> dict[str, Any]:
    """For `logging.config.dictConfig`: everything goes to standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}, "text": {"()": TextFormatter}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": settings.log_format},
        },
        "root": {"handlers": ["stderr"], "level": settings.log_level.upper()},
    }


def _ordered(_logger: WrappedLogger, _name: str, event: EventDict) -> Mapping[str, Any]:
    first = {name: event.pop(name) for name in _FIRST if name in event}
    return {**first, **event}
