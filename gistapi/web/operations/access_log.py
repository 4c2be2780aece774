"""How the process writes its log: lines of JSON, or text for a person; and what of it is told.

A line carries what structlog's context variables hold: within a request, its `request_id`.
Patterns, names of users and tokens are never told.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from structlog.contextvars import bind_contextvars, merge_contextvars
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import EventDict, Processor, WrappedLogger

from gistapi.events import (
    CacheFailed,
    CountingFailed,
    Event,
    GithubLimited,
    GithubRequestEnded,
    SearchEnded,
    WorkerKilled,
)
from gistapi.settings import Settings

_TOLD = {
    SearchEnded: (logging.INFO, "search"),
    GithubRequestEnded: (logging.DEBUG, "request to GitHub"),
    GithubLimited: (logging.WARNING, "GitHub asks for a wait"),
    WorkerKilled: (logging.WARNING, "matching worker ended"),
    CacheFailed: (logging.WARNING, "cache failed"),
    CountingFailed: (logging.WARNING, "a limit could not be checked"),
}
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

_log = logging.getLogger(__name__)


class EventLog:
    """Tells of events, as far as the log is the place for them (`observe` is an Observer).

    A store that fails is told once a minute for each thing that it could not do, with how often
    that was; every single failure only by `debug`. For any thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, _Failures] = {}

    def observe(self, event: Event) -> None:
        """Write a line, or none; what a search came to stands on its request's later lines, too."""
        if type(event) not in _TOLD:
            return
        level, message = _TOLD[type(event)]
        fields = asdict(event)
        if isinstance(event, CacheFailed | CountingFailed):
            self._tell_failures(message, fields)
            level = logging.DEBUG
        if _log.isEnabledFor(level):
            _log.log(level, message, extra=_rounded(fields))
        if isinstance(event, SearchEnded):
            del fields["duration_seconds"]
            bind_contextvars(**fields)

    def _tell_failures(self, message: str, fields: dict[str, Any]) -> None:
        kind = fields.get("operation", message)
        with self._lock:
            now = self._clock()
            failures = self._failures.setdefault(kind, _Failures(now - FAILURES_SECONDS))
            failures.count += 1
            if now < failures.told_at + FAILURES_SECONDS:
                return
            failures.told_at = now
            count, failures.count = failures.count, 0
        _log.warning(message, extra=fields | {"failures": count})


@dataclass
class _Failures:
    """Of one kind: when they were told last, and how many came since."""

    told_at: float
    count: int = 0


def _rounded(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in fields.items()
    }


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
    """A line for a person, coloured on a terminal that wants colours (https://no-color.org)."""

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
    """For `logging.config.dictConfig`: everything to standard error, the web server's lines too."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}, "text": {"()": TextFormatter}},
        "filters": {"server": {"()": ServerFilter}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": settings.log_format},
        },
        "root": {"handlers": ["stderr"], "level": settings.log_level.upper()},
        "loggers": {"_granian": {"filters": ["server"]}},
    }


class ServerFilter(logging.Filter):
    """Drops the web server's advice on the number of threads: ours wait for GitHub, not the CPU."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        return "Python threads" not in record.getMessage()


def _ordered(_logger: WrappedLogger, _name: str, event: EventDict) -> Mapping[str, Any]:
    first = {name: event.pop(name) for name in _FIRST if name in event}
    return {**first, **event}
