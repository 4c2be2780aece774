"""Syntax highlighting of results: kinds, positions and contrast."""

from __future__ import annotations

import hashlib
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

import gistapi.web.ui
from tests.browser import visit
from tests.fake_github import FakeGithub
from tests.serving import Serving
from tests.web.ui.forms import ask

LIBRARY = Path(gistapi.web.ui.__file__).parent / "static/highlight"
KINDS = ("comment", "keyword", "number", "string")
COLOURED = """kind => [...CSS.highlights.get(kind)]
  .map(({ startContainer, startOffset, endOffset }) =>
    startContainer.data.slice(startOffset, endOffset))"""
CODE = """\
# it's a comment <b>
def total(x):
    return 12 + needle("a \\r b", '<i>')
"""


@pytest.fixture
def coloured(page: Page, hub: FakeGithub) -> Page:
    """Return the page with a match in CODE."""
    hub.add_user("colours").add_gist({"a.py": CODE.replace("\\r", "\r")})
    ask(page, "colours", "total|needle")
    expect(page.locator(".match")).to_have_count(1)
    page.wait_for_function("CSS.highlights.get('keyword').size > 0")
    return page


def test_code_is_highlighted(coloured: Page) -> None:
    """Ranges are exact to the character, and the match keeps its mark."""
    assert {kind: coloured.evaluate(COLOURED, kind) for kind in KINDS} == {
        "comment": ["# it's a comment <b>"],
        "keyword": ["def", "return"],
        "number": ["12"],
        "string": ['"a \r b"', "'<i>'"],
    }
    expect(coloured.locator("mark")).to_have_text(["total", "needle"])


def test_the_next_search_removes_highlights(coloured: Page) -> None:
    """None of the previous lines' ranges is left."""
    ask(coloured, "colours", "nowhere")
    expect(coloured.get_by_role("status")).to_contain_text("Done")
    assert [coloured.evaluate(COLOURED, kind) for kind in KINDS] == [[]] * len(KINDS)


def test_without_the_library_results_are_plain(page: Page, hub: FakeGithub) -> None:
    """They are shown, and nothing fails."""
    page.route("**/highlight.min.js", lambda route: route.fulfill(status=404))
    hub.add_user("plain").add_gist({"a.py": CODE})
    ask(page, "plain", "needle")
    expect(page.locator("mark")).to_have_text("needle")
    expect(page.get_by_role("status")).to_contain_text("Done")


@pytest.mark.parametrize(
    ("theme", "ground"), [*product(("light", "dark"), ("--paper", "--accent-soft"))]
)
def test_every_colour_has_enough_contrast(
    browser: Browser, service: Serving, theme: Literal["light", "dark"], ground: str
) -> None:
    """It is at least 4.5 to 1, on a result and while hovered."""
    with visit(browser, f"{service.url}/", theme=theme) as visited:
        value = "name => getComputedStyle(document.documentElement).getPropertyValue(name)"
        behind = luminance(visited.page.evaluate(value, ground))
        for kind in KINDS:
            text = luminance(visited.page.evaluate(value, f"--{kind}"))
            lighter, darker = max(text, behind), min(text, behind)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, kind


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, https://www.w3.org/TR/WCAG21/#dfn-relative-luminance."""
    shares = [int(colour.strip()[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_library_is_unmodified() -> None:
    """The file equals the one that was published."""
    content = (LIBRARY / "highlight.min.js").read_bytes()
    assert hashlib.sha256(content).hexdigest() == (
        "1ed8fc5256b738b8875b74e4d3f0754f60d6411fb034d618dfbc4e6e6c9999d7"
    )
    assert "BSD" in (LIBRARY / "LICENSE.txt").read_text("utf-8")
