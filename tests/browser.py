"""A headless Chromium that may connect to this machine only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Request,
    expect,
    sync_playwright,
)

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
BLANK = "about:blank"
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
        self.page.on("pageerror", self._raised)
        self.page.on("console", self._said)
        self.page.on("request", self._requested)

    def _raised(self, error: Error) -> None:
        self.faults.append(str(error))

    def _said(self, said: ConsoleMessage) -> None:
        # The page shows an error answer; here it is no fault.
        expected = "the server responded with a status of" in said.text
        if said.type in {"error", "warning"} and not expected:
            self.faults.append(said.text)

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((self.home, "data:")):
            self.faults.append(f"asked {request.url}")

    def leave(self) -> None:
        """Leave nothing to the next visit: no tab, route, listener, cookie or stored value."""
        page, context = self.page, self.page.context
        page.remove_listener("pageerror", self._raised)
        page.remove_listener("console", self._said)
        page.remove_listener("request", self._requested)
        page.unroute_all(behavior="ignoreErrors")
        for other in context.pages[1:]:
            other.close()
        page.goto(BLANK)
        context.clear_cookies()
        session = context.new_cdp_session(page)
        session.send("Storage.clearDataForOrigin", {"origin": self.home, "storageTypes": "all"})
        session.detach()


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
    """A page that knows nothing of earlier visits; at the end it must have no faults.

    A process for each page would take most of a visit's time, so the next visit gets the same one.
    """
    idle = (context for context in browser.contexts if context.pages[0].url == BLANK)
    context = (next(idle, None) if scale == 1 else None) or browser.new_context(
        device_scale_factor=scale, permissions=["clipboard-read", "clipboard-write"]
    )
    context.set_default_timeout(WAIT_MS)
    page = context.pages[0] if context.pages else context.new_page()
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    visited = Visit(page, "/".join(url.split("/")[:3]))
    is_empty = False
    try:
        page.goto(url)
        yield visited
        assert visited.faults == []
        visited.leave()
        is_empty = scale == 1
    finally:
        if not is_empty:
            context.close()
