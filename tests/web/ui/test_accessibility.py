"""axe-core's checks of every state of the pages, in both themes, wide and narrow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import visit
from tests.fake_github import FakeGithub
from tests.serving import Serving, serving
from tests.web.ui.forms import ask
from tests.web.ui.streams import ENDPOINT, answer, end, gap, match

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
LINK = "/?username=octocat&pattern=x"


@pytest.fixture(scope="module")
def service(hub: FakeGithub) -> Iterator[Serving]:
    """Yield a service with everything on its page: it takes tokens, and links wait for a click."""
    with serving(hub, cache_url="off", caller_tokens=True, daily_limit=1000) as running:
        yield running


def found(page: Page) -> None:
    """Results in files of several languages."""
    answer(page, [match(1), match(2, name="b.rb", language="Ruby", hits=3), end(2)])
    ask(page, "octocat", "x")
    expect(page.locator(".facet").first).to_be_visible()


def incomplete(page: Page) -> None:
    """Some files were not searched, and the search can be continued."""
    answer(page, [match(1), gap(2), gap(3), end(1, "partial", next="c")])
    ask(page, "octocat", "x")
    expect(page.locator("#missing")).to_be_visible()


def empty(page: Page) -> None:
    """Nothing matches."""
    answer(page, [end(0)])
    ask(page, "octocat", "x")
    expect(page.locator("#empty")).to_be_visible()


def searching(page: Page) -> None:
    """A search without an answer so far."""
    answer(page, None)
    ask(page, "octocat", "x")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()


def stopped(page: Page) -> None:
    """A search that was stopped."""
    searching(page)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#counts")).to_contain_text("stopped")


def faulty(page: Page) -> None:
    """A pattern with an error."""
    ask(page, "octocat", "(")
    expect(page.get_by_role("alert").locator("mark")).to_be_visible()


def nothing_entered(page: Page) -> None:
    """The form was submitted empty."""
    ask(page, "", "")
    expect(page.get_by_role("alert")).to_be_visible()


def key_required(page: Page) -> None:
    """The service requires a key."""
    refusal: dict[str, Any] = {"code": "unauthorized", "message": "A key.", "errors": []}
    page.route(ENDPOINT, lambda route: route.fulfill(status=401, body=json.dumps(refusal)))
    ask(page, "octocat", "x")
    expect(page.get_by_label("Key of this service")).to_be_visible()


def token_required(page: Page) -> None:
    """The search needs the caller's token."""
    page.get_by_label("My gists").check()
    ask(page, "", "x")
    expect(page.get_by_label("Your GitHub token")).to_be_focused()


def waiting(page: Page) -> None:
    """A search from a link waits for a click."""
    page.goto(page.url.rstrip("/") + LINK)
    expect(page.locator("#waits")).to_be_visible()


def form(_page: Page) -> None:
    """The initial form."""


@pytest.mark.parametrize(
    "show",
    [
        *(form, found, incomplete, empty, searching, stopped, faulty, nothing_entered),
        *(key_required, token_required, waiting),
    ],
)
def test_axe_finds_no_fault_and_nothing_overflows(
    browser: Browser, service: Serving, show: Callable[[Page], None]
) -> None:
    """All rules of axe-core pass, wide and light, narrow and dark, with everything expanded."""
    with visit(browser, f"{service.url}/") as visited:
        page = visited.page
        show(page)
        for summary in page.locator("summary:visible").all():
            if not summary.evaluate("summary => summary.parentElement.open"):
                summary.click()
        for width, theme in zip((1100, 360), THEMES, strict=True):
            page.set_viewport_size({"width": width, "height": 700})
            page.emulate_media(color_scheme=theme)
            results = Axe().run(page)
            assert results.response["violations"] == [], results.generate_report()
            assert len(results.response["passes"]) > 15
            assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("theme", THEMES)
def test_the_reference_is_legible_in_both_themes_on_a_phone(
    browser: Browser, service: Serving, theme: Theme
) -> None:
    """All text has enough contrast on the theme's background; nothing scrolls sideways."""
    with visit(browser, f"{service.url}/docs", theme=theme, width=360) as visited:
        page = visited.page
        expect(page.locator(".responses-table").first).to_be_visible()
        ground = "getComputedStyle(document.documentElement).colorScheme"
        assert page.evaluate(ground) == ("dark" if theme == "dark" else "normal")
        results = Axe().run(page, options={"runOnly": ["color-contrast"]})
        assert results.response["violations"] == [], results.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") == 360
