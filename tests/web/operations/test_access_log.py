"""How the process writes its log, and what of events is reported."""

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
)
from gistapi.settings import Settings
from gistapi.web.operations.access_log import EventLog, configuration

ENDED = SearchEnded("partial", 1.23456789, gists=3, files=4, size_bytes=5, matches=2)


@pytest.fixture(autouse=True)
def root_logger_restored() -> Iterator[None]:
    """The tests' own handlers are back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def configure(**settings: str) -> None:
    """Configure as a process does that was handed the configuration by another."""
    handed = pickle.dumps(configuration(Settings.model_validate(settings)))
    logging.config.dictConfig(pickle.loads(handed))  # noqa: S301 - our own


def written(capfd: pytest.CaptureFixture[str], **settings: str) -> list[str]:
    """The lines that a few records become."""
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
    """The lines of JSON that events become, so many seconds apart, one context for all."""
    configure(log_format="json", log_level=level)
    now = itertools.count(0, seconds)
    log = EventLog(clock=lambda: next(now))

    def tell() -> None:
        bind_contextvars(request_id="r-2")
        for event in events:
            log.observe(event)
        logging.getLogger("other").error("later")

    copy_context().run(tell)
    return capfd.readouterr().err.splitlines()


def test_json_is_one_object_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    """A traceback stays within its line."""
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


def test_text_is_for_people_and_the_level_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    """`LOG_LEVEL` decides what is written, `LOG_FORMAT` how; colours are for terminals."""
    lines = written(capfd, log_format="text", log_level="debug")
    assert re.search(r"\[debug +\] too small +\[gistapi.web.problems\]", lines[0])
    assert re.search(r"\[error +\] request r-1 failed .* status=500", lines[1])
    assert re.search(r"\[warning +\] something else", lines[-1])
    assert any(line.startswith("ValueError: invalid literal") for line in lines)
    assert "canary" not in "\n".join(lines), "the variables of a frame"
    assert "\x1b" not in "\n".join(lines)


def test_a_terminal_has_colours_unless_it_wants_none(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """https://no-color.org has the last word."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert "\x1b[" in written(capfd, log_format="text")[0]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in "".join(written(capfd, log_format="text"))


def test_a_search_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    """With the request's ID and what it came to."""
    search, _ = map(json.loads, logged(capfd, ENDED))
    counts = {"outcome": "partial", "gists": 3, "files": 4, "size_bytes": 5, "matches": 2}
    assert search.items() >= {"message": "search", "request_id": "r-2", **counts}.items()
    assert search["duration_seconds"] == 1.234568


def test_what_needs_a_look_is_a_warning_and_what_is_many_is_not_reported(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """GitHub's refusals and a failing cache are reported; files and skipped reads are not."""
    lines = logged(
        capfd,
        FileScanned("re2", 10, 0.1, matched=True),
        GithubLimited("api.github.com", "primary", 60.0),
        CacheFailed("get_contents", "TimeoutError: slow"),
    )
    warnings = [json.loads(line) for line in lines[:-1]]
    assert [line["level"] for line in warnings] == ["warning", "warning"]
    assert warnings[0].items() >= {"kind": "primary", "wait_seconds": 60.0}.items()
    assert warnings[1].items() >= {"operation": "get_contents"}.items()


def failed(status: int | None, error: str | None, message: str | None) -> GithubRequestEnded:
    """A request to the raw host that ended so."""
    return GithubRequestEnded("raw", "raw.example", status, error, 0.1, 0, message)


def test_failures_of_github_are_warnings_with_their_cause(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Host, status and words; one line a minute for each kind, whatever their number."""
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


def test_a_store_that_fails_is_reported_once_a_minute(capfd: pytest.CaptureFixture[str]) -> None:
    """For each thing that it could not do, with how often; two minutes are two lines."""
    slow = CacheFailed("get_contents", "TimeoutError: slow")
    skipped = CacheFailed("get_contents", "skipped: TimeoutError: slow")
    lines = logged(capfd, slow, *[skipped] * 5, CacheFailed("write", "full"), slow, seconds=10)
    warnings = [json.loads(line) for line in lines[:-1]]
    assert [(line["operation"], line["failures"]) for line in warnings] == [
        ("get_contents", 1),
        ("write", 1),
        ("get_contents", 6),
    ]


def test_debug_tells_more(capfd: pytest.CaptureFixture[str]) -> None:
    """Each failure of the cache is there when it is looked for."""
    skipped = CacheFailed("get_contents", "skipped: TimeoutError: slow")
    lines = [json.loads(line) for line in logged(capfd, skipped, skipped, level="debug")]
    told_by = [line["level"] for line in lines if line["message"] == "cache failed"]
    assert told_by == ["warning", "debug", "debug"]
