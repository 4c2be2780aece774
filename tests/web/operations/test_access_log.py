"""The process's log: its formats, and which events are logged."""

from __future__ import annotations

import itertools
import json
import logging
import logging.config
import pickle
import re
from collections.abc import Iterator
from contextvars import copy_context

import pytest
from structlog.contextvars import bind_contextvars

from gistapi.events import (
    CacheFailed,
    Event,
    FileScanned,
    GithubLimited,
    GithubRequestEnded,
    SearchEnded,
    observer,
)
from gistapi.settings import Settings
from gistapi.web.operations.access_log import EventLog, configuration

ENDED = SearchEnded("partial", 1.23456789, gists=3, files=4, size_bytes=5, matches=2)


@pytest.fixture(autouse=True)
def root_logger_restored() -> Iterator[None]:
    """Restore pytest's handlers afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def configure(**settings: str) -> None:
    """Configure logging with a configuration passed from another process."""
    handed = pickle.dumps(configuration(Settings.model_validate(settings)))
    logging.config.dictConfig(pickle.loads(handed))  # noqa: S301 - our own


def written(capfd: pytest.CaptureFixture[str], **settings: str) -> list[str]:
    """The log lines of a few records."""
    configure(**settings)
    log = logging.getLogger("gistapi.web.problems")
    secret = "canary"
    log.debug("too %s", "small")
    try:
        int(secret[:0])
    except ValueError:
        log.exception("request %s failed", "r-1", extra={"status": 500})
    logging.getLogger("aiohttp.server").warning("something else")
    return capfd.readouterr().err.splitlines()


def logged(
    capfd: pytest.CaptureFixture[str], *events: Event, level: str = "info", seconds: float = 0.0
) -> list[str]:
    """The JSON log lines of events, `seconds` apart, in one context."""
    configure(log_format="json", log_level=level)
    now = itertools.count(0, seconds)
    log = EventLog(clock=lambda: next(now))

    def observe() -> None:
        bind_contextvars(request_id="r-2")
        for event in events:
            observer(log.handlers)(event)
        logging.getLogger("other").error("later")

    copy_context().run(observe)
    return capfd.readouterr().err.splitlines()


def test_json_has_one_object_per_line(capfd: pytest.CaptureFixture[str]) -> None:
    """A traceback is part of its line."""
    lines = written(capfd, log_format="json")
    failed, other = map(json.loads, lines)
    assert list(failed)[:4] == ["time", "level", "logger", "message"]
    assert failed["level"] == "error"
    assert failed["logger"] == "gistapi.web.problems"
    assert failed["message"] == "request r-1 failed"
    assert failed["status"] == 500
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", failed["time"])
    assert "\nValueError: invalid literal" in failed["exception"]
    assert other["message"] == "something else"
    assert "canary" not in lines[0]


def test_text_is_readable_and_obeys_the_level(capfd: pytest.CaptureFixture[str]) -> None:
    """`LOG_LEVEL` selects the lines, `LOG_FORMAT` their form; colours are for terminals."""
    lines = written(capfd, log_format="text", log_level="debug")
    assert re.search(r"\[debug +\] too small +\[gistapi.web.problems\]", lines[0])
    assert re.search(r"\[error +\] request r-1 failed .* status=500", lines[1])
    assert re.search(r"\[warning +\] something else", lines[-1])
    assert any(line.startswith("ValueError: invalid literal") for line in lines)
    assert "canary" not in "\n".join(lines), "the variables of a frame"
    assert "\x1b" not in "\n".join(lines)


def test_a_terminal_has_colours_unless_no_color_is_set(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """See https://no-color.org."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert "\x1b[" in written(capfd, log_format="text")[0]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in "".join(written(capfd, log_format="text"))


def test_a_search_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    """It has the request's ID and the result."""
    search, _ = map(json.loads, logged(capfd, ENDED))
    counts = {"outcome": "partial", "gists": 3, "files": 4, "size_bytes": 5, "matches": 2}
    assert search.items() >= {"message": "search", "request_id": "r-2", **counts}.items()
    assert search["duration_seconds"] == 1.234568


def test_failures_are_warnings_and_frequent_events_are_not_logged(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """GitHub's refusals and a failing cache are logged; files and skipped reads are not."""
    lines = logged(
        capfd,
        FileScanned("re2", 10, 0.1),
        GithubLimited("api.github.com", "primary", 60.0),
        CacheFailed("get_contents", "TimeoutError: slow"),
    )
    warnings = [json.loads(line) for line in lines[:-1]]
    assert [line["level"] for line in warnings] == ["warning", "warning"]
    assert warnings[0].items() >= {"kind": "primary", "wait_seconds": 60.0}.items()
    assert warnings[1].items() >= {"operation": "get_contents"}.items()


def failed(status: int | None, error: str | None, message: str | None) -> GithubRequestEnded:
    """The event of a request to the raw host that failed so."""
    return GithubRequestEnded("raw", "raw.example", status, error, 0.1, 0, message)


def test_failures_of_github_are_warnings_with_their_cause(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """They have host, status and message; each kind has one line a minute, whatever its number."""
    tls = failed(None, "TransientError", "certificate verify failed: unknown CA")
    lines = logged(
        capfd,
        *[failed(403, "GithubError", "too big")] * 100,
        *[tls] * 100,
        failed(404, "GoneError", None),
        failed(200, None, None),
        failed(200, "CancelledError", None),
    )
    warnings = [json.loads(line) for line in lines[:-1]]
    assert [(line["level"], line["status"], line["cause"]) for line in warnings] == [
        ("warning", 403, "too big"),
        ("warning", None, "certificate verify failed: unknown CA"),
    ]
    assert {line["host"] for line in warnings} == {"raw.example"}


def test_a_failing_store_is_logged_once_a_minute(capfd: pytest.CaptureFixture[str]) -> None:
    """Each kind of operation has its line, with the number of failures."""
    slow = CacheFailed("get_contents", "TimeoutError: slow")
    skipped = CacheFailed("get_contents", "skipped: TimeoutError: slow")
    lines = logged(capfd, slow, *[skipped] * 5, CacheFailed("write", "full"), slow, seconds=10)
    warnings = [json.loads(line) for line in lines[:-1]]
    assert [(line["operation"], line["failures"]) for line in warnings] == [
        ("get_contents", 1),
        ("write", 1),
        ("get_contents", 6),
    ]


def test_debug_logs_every_failure(capfd: pytest.CaptureFixture[str]) -> None:
    """Each failure of the cache has a line at DEBUG."""
    skipped = CacheFailed("get_contents", "skipped: TimeoutError: slow")
    lines = [json.loads(line) for line in logged(capfd, skipped, skipped, level="debug")]
    levels = [line["level"] for line in lines if line["message"] == "cache failed"]
    assert levels == ["warning", "debug", "debug"]
