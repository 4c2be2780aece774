"""A browser is found under all its names, installed without a password, or reported missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import browser_path
from tests.browser_path import MISSING, PLAYWRIGHT, VARIABLE, BrowserError, find, main

GOOD = "#!/bin/sh\necho Chromium 1.0\n"
STUB = "#!/bin/sh\necho Command requires the chromium snap >&2\nexit 1\n"


def program(path: Path, text: str = GOOD) -> str:
    """Write a program that answers as a browser does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a machine without a browser: its home folder, with its programs in `bin`."""
    monkeypatch.setattr(browser_path, "APPLICATIONS", ())
    for name in (VARIABLE, "PLAYWRIGHT_BROWSERS_PATH", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    find.cache_clear()
    yield tmp_path
    find.cache_clear()


@pytest.mark.parametrize("name", browser_path.COMMANDS)
def test_every_systems_command_is_found(home: Path, name: str) -> None:
    """Under every distribution's name."""
    path = program(home / "bin" / name)
    assert find() == path


@pytest.mark.parametrize("cache", [".cache/ms-playwright", "Library/Caches/ms-playwright"])
@pytest.mark.parametrize("pattern", PLAYWRIGHT)
def test_playwrights_own_is_found(home: Path, cache: str, pattern: str) -> None:
    """On Linux and macOS, the newest first, and before the system's own."""
    program(home / "bin" / "chromium")
    program(home / cache / pattern.replace("*", "1200"))
    newest = program(home / cache / pattern.replace("*", "1255"))
    assert find() == newest


def test_a_macs_applications_are_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of one user, too."""
    name = "Chromium.app/Contents/MacOS/Chromium"
    monkeypatch.setattr(browser_path, "APPLICATIONS", (name,))
    path = program(home / "Applications" / name)
    assert find() in {path, f"/Applications/{name}"}


def test_what_does_not_run_is_passed_over(home: Path) -> None:
    """A command that only says how to install a browser is not one."""
    program(home / "bin" / "chromium", STUB)
    path = program(home / "bin" / "google-chrome")
    assert find() == path


def test_the_environment_has_the_word(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it names is used; if that does not run, the tests do not continue with another."""
    program(home / "bin" / "chromium")
    monkeypatch.setenv(VARIABLE, program(home / "mine"))
    assert find() == str(home / "mine")
    find.cache_clear()
    monkeypatch.setenv(VARIABLE, str(home / "missing"))
    with pytest.raises(BrowserError, match="missing"):
        find()
    assert main() == 1


def test_a_browser_is_fetched_by_the_first_way_that_brings_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installer that fails, or brings nothing that runs, is followed by the next."""
    path = home / "bin" / "chromium"
    ways = (
        "raise SystemExit(1)",
        "pass",
        f"from tests.test_browser_path import *; program(Path({str(path)!r}))",
        "raise SystemExit('never asked')",
    )
    commands = [[sys.executable, "-c", way] for way in ways]
    monkeypatch.setattr(browser_path, "installers", lambda: iter(commands))
    assert main() == 0
    assert find() == str(path)


def test_a_package_manager_is_used_where_it_asks_for_no_password(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root, or by a sudo that does not ask; else only Playwright's installer is tried."""
    program(home / "bin" / "apt-get")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert len(list(browser_path.installers())) == 1
    program(home / "bin" / "sudo", "#!/bin/sh\nexit 1\n")
    assert len(list(browser_path.installers())) == 1
    program(home / "bin" / "sudo")
    _, update, install = browser_path.installers()
    assert update == ["sudo", "--non-interactive", "apt-get", "update"]
    assert install[:3] == ["sudo", "--non-interactive", "apt-get"]
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert [command[0] for command in browser_path.installers()][1:] == ["apt-get"] * 2


@pytest.mark.parametrize(("ci", "code"), [("true", 1), ("", 0)])
@pytest.mark.usefixtures("home")
def test_a_missing_browser_is_one_line_and_in_ci_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ci: str, code: int
) -> None:
    """One line says what is skipped and how to get a browser."""
    monkeypatch.setattr(browser_path, "installers", lambda: iter(()))
    monkeypatch.setenv("CI", ci)
    assert main() == code
    assert capsys.readouterr().err == f"{MISSING}\n"
