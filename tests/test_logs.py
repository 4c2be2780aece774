"""How the process writes its log."""

from __future__ import annotations

import json
import logging
import logging.config
from collections.abc import Iterator

import pytest

from gistapi.logs import configuration
from gistapi.settings import Settings


@pytest.fixture(autouse=True)
def root_logger_restored() -> Iterator[None]:
    """The tests' own handlers are back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def written(capfd: pytest.CaptureFixture[str], **settings: str) -> list[str]:
    """The lines that a few records become."""
    logging.config.dictConfig(configuration(Settings.model_validate(settings)))
    log = logging.getLogger("gistapi.web.problems")
    log.debug("too %s", "small")
    log.error("request %s failed", "r-1", exc_info=ZeroDivisionError("two\nlines"))
    server = logging.getLogger("_granian")
    server.warning("Configuration allows spawning up to 160 Python threads, which seems high")
    server.warning("something else")
    return capfd.readouterr().err.splitlines()


def test_json_is_one_object_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    """A traceback stays within its line; the server's advice on threads is left out."""
    failed, other = map(json.loads, written(capfd, log_format="json"))
    assert failed["level"] == "error"
    assert failed["logger"] == "gistapi.web.problems"
    assert failed["message"] == "request r-1 failed"
    assert failed["time"].endswith("+00:00")
    assert failed["exception"].endswith("ZeroDivisionError: two\nlines")
    assert other["message"] == "something else"


def test_text_is_for_people_and_the_level_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    """`LOG_LEVEL` decides what is written, `LOG_FORMAT` how."""
    lines = written(capfd, log_format="text", log_level="debug")
    assert lines[0].endswith("DEBUG   gistapi.web.problems: too small")
    assert lines[1].endswith("ERROR   gistapi.web.problems: request r-1 failed")
    assert lines[-1].endswith("WARNING _granian: something else")
