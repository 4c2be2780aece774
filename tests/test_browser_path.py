"""Finding a browser under any of its names, and installing one without a password."""

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
    """Write a program that prints what a browser prints."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield the home folder of a machine without a browser; its programs are in `bin`."""
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
def test_every_distributions_command_is_found(home: Path, name: str) -> None:
    """Distributions name it differently."""
    path = program(home / "bin" / name)
    assert find() == path


@pytest.mark.parametrize("cache", [".cache/ms-playwright", "Library/Caches/ms-playwright"])
@pytest.mark.parametrize("pattern", PLAYWRIGHT)
def test_playwrights_browser_is_found(home: Path, cache: str, pattern: str) -> None:
    """On Linux and macOS, the newest is used, before the system's."""
    program(home / "bin" / "chromium")
    program(home / cache / pattern.replace("*", "1200"))
    newest = program(home / cache / pattern.replace("*", "1255"))
    assert find() == newest


def test_macos_applications_are_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Applications of one user are found too."""
    name = "Chromium.app/Contents/MacOS/Chromium"
    monkeypatch.setattr(browser_path, "APPLICATIONS", (name,))
    path = program(home / "Applications" / name)
    assert find() in {path, f"/Applications/{name}"}


def test_a_command_that_fails_is_skipped(home: Path) -> None:
    """A stub may only print how to install a browser."""
    program(home / "bin" / "chromium", STUB)
    path = program(home / "bin" / "google-chrome")
    assert find() == path


def test_the_environment_variable_takes_precedence(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the browser that it names does not run, no other is used."""
    program(home / "bin" / "chromium")
    monkeypatch.setenv(VARIABLE, program(home / "mine"))
    assert find() == str(home / "mine")
    find.cache_clear()
    monkeypatch.setenv(VARIABLE, str(home / "missing"))
    with pytest.raises(BrowserError, match="missing"):
        find()
    assert main() == 1


def test_installers_are_tried_until_one_succeeds(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installer that fails, or installs nothing that runs, is followed by the next."""
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


def test_a_package_manager_is_used_only_without_a_password(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root, or a sudo that does not ask, uses it; others use Playwright's installer only."""
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
def test_a_missing_browser_is_reported_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ci: str, code: int
) -> None:
    """One line says what is skipped and how to get a browser."""
    monkeypatch.setattr(browser_path, "installers", lambda: iter(()))
    monkeypatch.setenv("CI", ci)
    assert main() == code
    assert capsys.readouterr().err == f"{MISSING}\n"
