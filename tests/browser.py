"""A headless Chromium that may connect to this machine only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser_path import MISSING, find, in_ci

FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Without these it connects to its maker's hosts.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS = 15_000  # on a machine that is busy with other tests

expect.set_options(timeout=WAIT_MS)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run this machine's browser; without one the test is skipped, or fails in CI."""
    path = find()
    if path is None:
        (pytest.fail if in_ci() else pytest.skip)(MISSING)
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *sandbox])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visit:
    """A page and its faults: script errors, CSP violations, hosts that it requested."""

    page: Page
    home: str
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self._note(said.type, said.text))
        self.page.on("request", lambda request: self._check(request.url))

    def _note(self, kind: str, text: str) -> None:
        # The page shows an error answer; here it is no fault.
        if kind in {"error", "warning"} and "the server responded with a status of" not in text:
            self.faults.append(text)

    def _check(self, url: str) -> None:
        if not url.startswith((self.home, "data:")):
            self.faults.append(f"asked {url}")


@contextmanager
def visit(
    browser: Browser,
    url: str,
    *,
    width: int = 1100,
    height: int = 800,
    theme: Literal["light", "dark"] = "light",
    scale: float = 1,
) -> Iterator[Visit]:
    """A page in a context of its own; at the end it must have no faults."""
    context: BrowserContext = browser.new_context(
        color_scheme=theme,
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(WAIT_MS)
    home = "/".join(url.split("/")[:3])
    visited = Visit(context.new_page(), home)
    try:
        visited.page.goto(url)
        yield visited
        assert visited.faults == []
    finally:
        context.close()
