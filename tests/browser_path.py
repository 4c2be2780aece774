"""Finds this machine's browser or installs one: `python -m tests.browser_path`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

VARIABLE = "GISTAPI_TEST_BROWSER"
COMMANDS = (
    "chromium",  # Debian, Arch, Alpine
    "chromium-browser",  # Fedora, Ubuntu
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
)
APPLICATIONS = (
    "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Chromium.app/Contents/MacOS/Chromium",
    "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
PLAYWRIGHT = (
    "chromium_headless_shell-*/chrome-*/chrome-headless-shell",
    "chromium_headless_shell-*/chrome-*/headless_shell",
    "chromium-*/chrome-*/chrome",
    "chromium-*/chrome-*/*.app/Contents/MacOS/*",
)
PACKAGES = (
    ("apt-get", ("apt-get", "install", "--yes", "--no-install-recommends", "chromium")),
    ("dnf", ("dnf", "install", "--assumeyes", "chromium")),
    ("pacman", ("pacman", "-S", "--noconfirm", "chromium")),
    ("zypper", ("zypper", "--non-interactive", "install", "chromium")),
    ("apk", ("apk", "add", "chromium")),
    ("brew", ("brew", "install", "--cask", "chromium")),
)
MISSING = (
    "There is no browser, so the tests of the pages are skipped. Install chromium with this"
    f" system's package manager, or set {VARIABLE} to the path of Chromium, Chrome or Edge."
)
ANSWER_SECONDS = 60
GET_SECONDS = 900


class BrowserError(Exception):
    """The browser that the environment names does not run."""


def in_ci() -> bool:
    """Whether a missing browser is a failure."""
    return os.environ.get("CI") == "true"


@cache
def find() -> str | None:
    """Find a browser that runs: the one named by GISTAPI_TEST_BROWSER, or any.

    Raises BrowserError if the named one does not run.
    """
    named = os.environ.get(VARIABLE)
    if named:
        path = shutil.which(named)
        if path is None or not _runs(path):
            raise BrowserError(f"{VARIABLE}: {named} is not a browser that runs.")
        return path
    return next((path for path in candidates(os.environ, Path.home()) if _runs(path)), None)


def candidates(environ: Mapping[str, str], home: Path) -> Iterator[str]:
    """List the possible places of a browser on any system: Playwright's, commands, applications."""
    folders = [home / ".cache/ms-playwright", home / "Library/Caches/ms-playwright"]
    if environ.get("PLAYWRIGHT_BROWSERS_PATH"):
        folders.insert(0, Path(environ["PLAYWRIGHT_BROWSERS_PATH"]))
    for folder in folders:
        for pattern in PLAYWRIGHT:
            yield from (str(path) for path in sorted(folder.glob(pattern), reverse=True))
    for command in COMMANDS:
        if path := shutil.which(command, path=environ.get("PATH")):
            yield path
    for applications in (Path("/Applications"), home / "Applications"):
        yield from (str(applications / name) for name in APPLICATIONS)


def _runs(path: str) -> bool:
    """Whether it starts: Ubuntu's command may be a stub, and a library may be missing."""
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, timeout=ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def installers() -> Iterator[list[str]]:
    """List commands that may install a browser without asking for a password, best first."""
    yield [sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"]
    manager = next((command for name, command in PACKAGES if shutil.which(name)), None)
    if manager is None:
        return
    if manager[0] == "brew" or os.geteuid() == 0:
        prefix = []
    elif shutil.which("sudo") and _succeeds(["sudo", "--non-interactive", "true"]):
        prefix = ["sudo", "--non-interactive"]
    else:
        return
    if manager[0] == "apt-get":
        yield [*prefix, "apt-get", "update"]
    yield [*prefix, *manager]


def _succeeds(command: list[str]) -> bool:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GET_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def get() -> str | None:
    """Install a browser; returns its path, None on failure."""
    for command in installers():
        print("Looking for a browser for the tests:", " ".join(command[-4:]), flush=True)  # noqa: T201
        if _succeeds(command):
            find.cache_clear()
            if path := find():
                return path
    return None


def main() -> int:
    """Find or install a browser, or print how to get one; in CI a missing one is a failure."""
    try:
        found = find() or get()
    except BrowserError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if found is None:
        sys.stderr.write(f"{MISSING}\n")
    return int(found is None and in_ci())


if __name__ == "__main__":
    sys.exit(main())
