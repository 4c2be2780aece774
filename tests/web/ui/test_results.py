"""Results on the search page: sort, filter, copy, download."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.web.ui.forms import ask
from tests.web.ui.streams import answer, end, gap, match

GISTS = [
    match(2, hits=1),
    match(3, name="run.sh", language="Shell", hits=3),
    match(1, name="b.py", hits=2),
]


@pytest.fixture
def results(page: Page) -> Page:
    """Return the page with three gists, which were not found in the order of creation."""
    answer(page, [*GISTS, end(3)])
    ask(page, "octocat", "x")
    expect(page.get_by_role("status")).to_contain_text("Done")
    return page


def test_the_newest_gist_is_first_by_default(results: Page) -> None:
    """Gists arrive in any order and are sorted at the end; other orders can be chosen."""
    titles = results.locator(".match h2")
    expect(titles).to_have_text(["Gist 3", "Gist 2", "Gist 1"])
    for order, expected in {
        "Oldest first": ["Gist 1", "Gist 2", "Gist 3"],
        "Recently updated": ["Gist 1", "Gist 2", "Gist 3"],
        "Newest first": ["Gist 3", "Gist 2", "Gist 1"],
        "Most matches": ["Gist 3", "Gist 1", "Gist 2"],
        "As found": ["Gist 2", "Gist 3", "Gist 1"],
    }.items():
        results.get_by_label("Sort").select_option(order)
        expect(titles).to_have_text(expected)


def test_facets_filter_the_results(results: Page) -> None:
    """Languages and file types have counts; a second click shows everything again."""
    expect(results.locator(".facet")).to_have_text(["Python 2", "Shell 1", "*.py 2", "*.sh 1"])
    shell = results.get_by_role("button", name="Shell 1")
    shell.click()
    expect(shell).to_have_attribute("aria-pressed", "true")
    expect(results.locator(".match:visible h2")).to_have_text(["Gist 3"])
    expect(results.locator("#shown")).to_have_text("1 of 3 shown")
    shell.click()
    expect(results.locator(".match:visible")).to_have_count(3)
    expect(results.locator("#shown")).to_have_text("")


def test_thousands_of_gists_are_rendered_on_scrolling(page: Page) -> None:
    """Counts, facets and copies include those that are not rendered."""
    lines = [match(1 + number % 28) for number in range(3000)]
    for number, line in enumerate(lines):
        line["data"]["gist"] = f"https://gist.github.com/{number}"
    answer(page, [*lines, end(3000)])
    ask(page, "octocat", "x")
    expect(page.locator("#headline")).to_have_text("3,000 gists match")
    drawn = page.locator(".match")
    expect(drawn).to_have_count(60)
    for count in (120, 180):
        drawn.last.scroll_into_view_if_needed()
        expect(drawn).to_have_count(count)
    page.get_by_role("button", name="Copy addresses").click()
    expect(page.get_by_role("status")).to_have_text("Copied")
    assert len(page.evaluate("navigator.clipboard.readText()").split()) == 3000
    page.get_by_label("Sort").select_option("Oldest first")
    expect(drawn).to_have_count(60)


def test_addresses_are_copied_in_the_order_shown(results: Page) -> None:
    """There is one a line, without the gists hidden by facets."""
    results.get_by_role("button", name="Python 2").click()
    results.get_by_role("button", name="Copy addresses").click()
    expect(results.get_by_role("status")).to_have_text("Copied")
    copied = results.evaluate("navigator.clipboard.readText()")
    assert copied == "https://gist.github.com/2\nhttps://gist.github.com/1\n"


def download(page: Page, name: str) -> str:
    """The text of the file that a button downloads."""
    with page.expect_download() as started:
        page.get_by_role("button", name=name, exact=True).click()
    assert started.value.suggested_filename == f"gists.{name.lower()}"
    return Path(started.value.path()).read_bytes().decode()


def test_results_are_saved_as_json(results: Page) -> None:
    """The file has the search and its answer, without another request."""
    saved = json.loads(download(results, "JSON"))
    assert saved["pattern"] == "x"
    assert saved["status"] == "success"
    assert saved["matches"] == [f"https://gist.github.com/{number}" for number in (3, 2, 1)]
    assert saved["details"] == [GISTS[1]["data"], GISTS[0]["data"], GISTS[2]["data"]]


def test_a_saved_answer_says_that_it_is_incomplete(page: Page) -> None:
    """It has the gaps and the cursor."""
    answer(page, [match(1), gap(9), end(1, "partial", next="c1")])
    ask(page, "octocat", "x")
    expect(page.get_by_role("status")).to_contain_text("Incomplete")
    saved = json.loads(download(page, "JSON"))
    assert (saved["status"], saved["next"]) == ("partial", "c1")
    assert saved["incomplete"] == [gap(9)["data"]]


def test_results_are_saved_as_csv(results: Page) -> None:
    """There is one row for each match; text that a spreadsheet would run is escaped."""
    rows = list(csv.DictReader(io.StringIO(download(results, "CSV"), newline="")))
    assert len(rows) == 6
    assert rows[0] == {
        "gist": "https://gist.github.com/3",
        "owner": "octocat",
        "description": "Gist 3",
        "updated_at": "2021-01-26T00:00:00Z",
        "file": "run.sh",
        "language": "Shell",
        "line": "3",
        "column": "1",
        "text": "'=a, b",
        "url": "https://gist.github.com/3#file-run.sh-L3",
    }
