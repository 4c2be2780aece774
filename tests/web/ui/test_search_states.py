"""The search page during a search, and for incomplete and empty answers."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

import gistapi.web.ui
from tests.browser import visit
from tests.fake_github import FakeGithub, Fault
from tests.serving import Serving
from tests.web.ui.forms import ask
from tests.web.ui.streams import answer, end, gap, match

STATIC = Path(gistapi.web.ui.__file__).parent / "static"
HELD = Fault(held=threading.Event())
AMBER = "rgb(138, 83, 0)"


def test_an_incomplete_search_looks_incomplete(page: Page) -> None:
    """It is amber, with what is missing in the headline, expandable reasons, and Continue."""
    lines = [match(1), match(2), *(gap(number) for number in range(10, 20))]
    answer(page, [*lines, end(2, "partial", next="c1")])
    ask(page, "octocat", "x")
    headline = page.locator("#headline")
    expect(headline).to_have_text("2 gists match · 10 files not searched")
    expect(headline).to_have_css("color", AMBER)
    expect(headline).to_be_in_viewport()
    expect(page.get_by_role("status")).to_contain_text("Incomplete: 2 gists match")
    expect(page.get_by_role("button", name="Continue")).to_be_in_viewport()
    expect(page.get_by_text("GitHub answered 500.").first).to_be_hidden()
    page.get_by_text("What was not searched, and why").click()
    expect(page.locator("#gaps li")).to_have_count(10)
    expect(page.locator("#gaps li").first).to_contain_text("file_unavailable")
    expect(page.locator("#gaps li").first.get_by_role("link")).to_have_text("b.py")
    expect(page.get_by_text("GitHub answered 500.").first).to_be_visible()


def test_a_complete_search_does_not_look_incomplete(page: Page) -> None:
    """It is not amber, and has no reasons and no Continue."""
    answer(page, [match(1), end(1)])
    ask(page, "octocat", "x")
    expect(page.get_by_role("status")).to_contain_text("Done: 1 gist matches")
    expect(page.locator("#headline")).not_to_have_css("color", AMBER)
    expect(page.locator("#missing")).to_be_hidden()
    expect(page.get_by_role("button", name="Continue")).to_be_hidden()


def test_continue_keeps_matches_and_gaps(page: Page) -> None:
    """A gist is shown once; a file that was not searched is listed until the end."""
    deadline = {"gist": None, "file": None, "reason": "deadline", "message": "Too long."}
    first = [match(1), gap(9), {"type": "incomplete", "data": deadline}]
    bodies = answer(
        page, [*first, end(1, "partial", next="c1")], [match(1), match(2), end(2, "success")]
    )
    ask(page, "octocat", "x")
    expect(page.locator("#headline")).to_have_text(
        "1 gist matches · 1 file not searched · search not finished"
    )
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#headline")).to_have_text("2 gists match · 1 file not searched")
    expect(page.locator(".match")).to_have_count(2)
    expect(page.get_by_role("button", name="Continue")).to_be_hidden()
    assert [body.get("cursor") for body in bodies] == [None, "c1"]


def test_a_stopped_search_can_be_continued_from_its_cursor(page: Page) -> None:
    """The matches stay; the next request has the last known cursor."""
    bodies = answer(
        page, [match(1), end(1, "partial", next="c1")], None, [match(2), end(1, "success")]
    )
    ask(page, "octocat", "x")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#counts")).to_contain_text("stopped")
    expect(page.locator("#headline")).to_have_css("color", AMBER)
    expect(page.locator(".match")).to_have_count(1)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".match")).to_have_count(2)
    assert [body.get("cursor") for body in bodies] == [None, "c1", "c1"]


def test_a_search_stopped_without_a_cursor_starts_again(page: Page, hub: FakeGithub) -> None:
    """The matches stay, and each gist is shown once."""
    slow = {gist.id for gist in hub.world.users["many"].gists[:60]}
    rule = hub.faults.inject(
        HELD, path=lambda asked: any(gist in asked.target for gist in slow), origin="raw"
    )
    ask(page, "many", ".")
    expect(page.locator(".match").nth(10)).to_be_attached()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#counts")).to_contain_text("stopped")
    hub.faults.remove(rule)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#headline")).to_have_text("120 gists match")
    expect(page.get_by_role("button", name="Continue")).to_be_hidden()


def test_names_can_be_searched_too(page: Page) -> None:
    """A switch adds it to the request and to the link."""
    bodies = answer(page, [end(0)])
    page.get_by_label("Names too").check()
    ask(page, "octocat", "x")
    expect(page.get_by_role("status")).to_contain_text("Done")
    assert bodies[0]["names"] is True
    assert "names=1" in page.url


def test_progress_is_shown_before_github_answers(page: Page) -> None:
    """The bar moves at once, and the page says what it waits for."""
    answer(page, None)
    ask(page, "octocat", "x")
    expect(page.locator("#headline")).to_have_text("Asking GitHub …")
    expect(page.locator("#headline")).to_be_in_viewport()
    assert page.get_by_role("progressbar").get_attribute("value") is None


@pytest.mark.parametrize(
    ("username", "query", "words"),
    [
        ("hubot", {}, "There are no public gists to search."),
        ("octocat", {"Files": "*.zz"}, "No gist or file passes the filters."),
        ("octocat", {"Updated since": "2035-01-01"}, "No gist or file passes the filters."),
        ("octocat", {}, "None of the 7 files searched contains the pattern."),
    ],
)
def test_an_empty_answer_is_explained(
    page: Page, username: str, query: dict[str, str], words: str
) -> None:
    """There are no gists, none that the filters select, or none that matches."""
    for label, value in query.items():
        page.get_by_label(label).fill(value)
    ask(page, username, "nowhere")
    expect(page.locator("#empty")).to_contain_text(words)


def test_a_failed_target_is_named(page: Page) -> None:
    """The other targets are searched."""
    ask(page, "octocat, nobody", "import requests")
    expect(page.locator("#headline")).to_have_text("2 gists match · 1 user not searched")
    page.get_by_text("What was not searched, and why").click()
    expect(page.locator("#gaps")).to_contain_text("nobody GitHub knows no such user.")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (" octocat ", {"username": "octocat"}),
        ("@octocat", {"username": "octocat"}),
        ("https://github.com/octocat/", {"username": "octocat"}),
        ("octocat, mona hubot", {"usernames": ["octocat", "mona", "hubot"]}),
        ("org:github", {"organization": "github"}),
        ("https://github.com/orgs/github/people", {"organization": "github"}),
        (
            "https://gist.github.com/mona/0123456789abcdef0123",
            {"gists": ["https://gist.github.com/mona/0123456789abcdef0123"]},
        ),
        (
            "mona,0123456789abcdef0123456789abcdef",
            {"username": "mona", "gists": ["0123456789abcdef0123456789abcdef"]},
        ),
    ],
)
def test_the_target_field_accepts_users_an_organization_and_gists(
    page: Page, text: str, fields: dict[str, Any]
) -> None:
    """Each form becomes its field of the request, which also asks for lines and context."""
    bodies = answer(page, [end(0)])
    ask(page, text, "x")
    expect(page.locator("#empty")).to_be_visible()
    asked = {"pattern": "x", "multiline": True, "max_count": 20, "context": 1}
    assert bodies == [fields | asked]


@pytest.mark.parametrize(
    ("username", "pattern", "label", "words"),
    [
        ("", "x", "GitHub user", "Enter a GitHub user"),
        ("octocat", "", "Pattern", "Enter a pattern"),
    ],
)
def test_an_empty_field_is_marked(
    page: Page, username: str, pattern: str, label: str, words: str
) -> None:
    """Nothing is sent; the missing field is focused and marked until it is filled in."""
    bodies = answer(page, [end(0)])
    ask(page, username, pattern)
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_label(label)).to_be_focused()
    expect(page.get_by_label(label)).to_have_attribute("aria-invalid", "true")
    assert bodies == []
    ask(page, "octocat", "x")
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.get_by_label(label)).not_to_have_attribute("aria-invalid", "true")


def test_two_organizations_are_refused_at_the_field(page: Page) -> None:
    """The API accepts one; nothing is sent."""
    bodies = answer(page)
    ask(page, "org:a, org:b", "x")
    expect(page.get_by_role("alert")).to_contain_text("A search takes one organization.")
    expect(page.get_by_label("GitHub user")).to_have_attribute("aria-invalid", "true")
    assert bodies == []


@pytest.mark.parametrize(
    ("parameter", "found"),
    [("", 2), ("&multiline=1", 2), ("&multiline=true", 2), ("&multiline=0", 0)],
)
def test_a_link_sets_multiline(
    browser: Browser, service: Serving, parameter: str, found: int
) -> None:
    """Anchors match at lines by default and with `multiline=1`, not with `multiline=0`."""
    url = f"{service.url}/?username=octocat&pattern=%5Eimport+requests{parameter}"
    with visit(browser, url) as visited:
        expect(visited.page.get_by_role("status")).to_contain_text("Done")
        expect(visited.page.locator(".match")).to_have_count(found)
        expect(visited.page.locator("#waits")).to_be_hidden()
        switch = visited.page.get_by_label("^ $ at the whole text")
        expect(switch).to_be_checked(checked=not found)


def test_the_switch_turns_multiline_off(page: Page) -> None:
    """The address keeps it, and the collapsed options show that it is set."""
    page.get_by_label("^ $ at the whole text").check()
    ask(page, "octocat", "^import requests")
    expect(page.locator("#headline")).to_have_text("No gist matches")
    expect(page.locator("#in-use")).to_have_text(" · ^ $ at the whole text")
    assert page.url.endswith("&multiline=0")


def test_an_example_searches_with_one_click(page: Page) -> None:
    """Examples are hidden once there are results."""
    page.get_by_role("link", name="TODO|FIXME").click()
    expect(page.locator(".match")).to_have_count(2)
    expect(page.get_by_text("Try one")).to_be_hidden()


def test_the_form_stays_visible(page: Page) -> None:
    """After a search the heading is hidden, and the form stays in view as results scroll."""
    answer(page, [*(match(number) for number in range(1, 29)), end(28)])
    ask(page, "octocat", "x")
    expect(page.locator(".match")).to_have_count(28)
    page.locator(".match").last.scroll_into_view_if_needed()
    expect(page.get_by_label("Pattern")).to_be_in_viewport()
    box = page.locator("#search").bounding_box()
    assert box is not None
    assert box["y"] == 0
    assert box["height"] < 110


def test_arriving_results_shift_nothing(
    browser: Browser, service: Serving, hub: FakeGithub
) -> None:
    """Chromium measures no layout shift from the first paint on."""
    many = hub.world.user("many")
    assert many
    slow = {gist.id for gist in many.gists[:20]}
    hub.faults.inject(
        Fault(held=threading.Event()),
        path=lambda asked: any(gist_id in asked.target for gist_id in slow),
        origin="raw",
    )
    with visit(browser, f"{service.url}/?username=many&pattern=.") as visited:
        expect(visited.page.locator("#far")).to_contain_text("of 120 gists")
        expect(visited.page.locator(".match").nth(20)).to_be_attached()
        shifts = visited.page.evaluate("""() => new Promise((resolve) => {
          const moved = (entry) => entry.sources.map(({ node }) => node?.outerHTML);
          const observer = new PerformanceObserver((list) => {
            resolve(list.getEntries().flatMap(moved));
          });
          observer.observe({ type: "layout-shift", buffered: true });
          requestAnimationFrame(() => requestAnimationFrame(() => resolve([])));
        })""")
        visited.page.get_by_role("button", name="Stop").click()
        assert shifts == []


def test_the_pages_own_script_and_style_are_small() -> None:
    """They are under 60 KB compressed, and each module has fewer than 300 lines."""
    assets = [path for path in STATIC.iterdir() if path.suffix in {".js", ".css"}]
    assert sum(len(gzip.compress(path.read_bytes())) for path in assets) < 60_000
    lengths = {path.name: path.read_text().count("\n") for path in assets if path.suffix == ".js"}
    assert max(lengths.values()) < 300, lengths
