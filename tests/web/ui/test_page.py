"""The search page and the reference in a real browser, with a real service."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from gistapi.quota.keys import KeyFile
from tests.browser import visit
from tests.fake_github import FakeGithub, Fault
from tests.fake_github.model import User
from tests.serving import SECONDS, Serving, serving
from tests.web.ui.forms import ask

HELD = Fault(held=threading.Event())
"""A request that is never answered."""


def user(hub: FakeGithub, login: str) -> User:
    """One of the GitHub's users."""
    found = hub.world.user(login)
    assert found
    return found


def link(service: Serving, **fields: str) -> str:
    """The address of a search."""
    return f"{service.url}/?{urlencode(fields)}"


def test_a_result_shows_the_gist_its_files_and_the_matching_lines(page: Page) -> None:
    """It shows all matching lines of all matching files, with numbers, context, marks and links."""
    ask(page, "octocat", r"im\w+ requests|TODO")
    gist = "https://gist.github.com/d2f6a9f0c8b14e5c9a3b7e81f4560c2d"
    first = page.locator(".match", has_text="feed.py")
    expect(first.locator("h2 a")).to_have_text("Titles of a feed")
    expect(first.locator("h2 a")).to_have_attribute("href", gist)
    expect(first.locator(".meta")).to_have_text("octocat · created Nov 20, 2023")
    tea = page.locator(".match", has_text="tea.md").locator(".meta")
    expect(tea).to_contain_text(" · updated Feb 11, 2024")
    expect(first.locator(".file")).to_have_text(["feed.py", "README.md"])
    code = first.locator(".part").first
    expect(code.locator(".language")).to_have_text("Python")
    expect(code.locator(".number")).to_have_text(["4", "5", "6"])
    expect(code.locator(".context code")).to_have_text(["", ""])
    expect(code.locator("a.line")).to_have_attribute("href", f"{gist}#file-feed-py-L5")
    expect(code.locator("mark")).to_have_text("import requests")
    expect(page.get_by_role("status")).to_contain_text("Done: 3 gists match")


def test_results_open_in_a_new_tab(page: Page) -> None:
    """The search stays open, and the new page cannot access it."""
    ask(page, "octocat", "import requests")
    expect(page.locator(".match")).to_have_count(2)
    for found in page.locator(".match a").all():
        assert found.get_attribute("target") == "_blank"
        assert found.get_attribute("rel") == "noopener"


def test_a_file_with_more_matches_than_shown_says_so(page: Page) -> None:
    """It shows twenty, and that there are more."""
    ask(page, "lines", "hit")
    expect(page.locator(".further")).to_have_text("20 matches shown, more in this file")
    expect(page.locator("a.line")).to_have_count(20)


@pytest.mark.parametrize(
    ("pattern", "numbers", "marks"),
    [
        ("one|two", ["1", "2", "3"], ["one", "two", "two"]),  # two matches on one line
        ("😀b", ["3", "4", "5"], ["😀b"]),  # characters, not UTF-16 units
        (r"4\nend", ["3", "4", "5", "6"], ["4", "end"]),  # one match on two lines
    ],
)
def test_lines_are_numbered_and_marked(
    page: Page, pattern: str, numbers: list[str], marks: list[str]
) -> None:
    """A line appears once, with all its marks; a match of several lines marks each."""
    ask(page, "marks", pattern)
    expect(page.locator("mark")).to_have_text(marks)
    expect(page.locator(".number")).to_have_text(numbers)


@pytest.mark.parametrize(
    ("pattern", "switch", "marked"),
    [
        ("(?P<word>T)ODO", None, "TODO"),
        ("(?i)todo", None, "TODO"),
        ("todo", "Ignore case", "TODO"),
        ("70 °C", "Literal text", "70 °C"),
        (r"7\d °C", "Whole word", "70 °C"),
    ],
)
def test_marks_are_the_services_matches(
    page: Page, pattern: str, switch: str | None, marked: str
) -> None:
    """This holds for Python's syntax and for every switch."""
    if switch:
        page.get_by_label(switch).check()
    ask(page, "octocat", pattern)
    expect(page.locator(".match", has_text="tea.md").locator("mark")).to_have_text(marked)


def test_untrusted_text_is_shown_as_text(page: Page) -> None:
    """Markup in descriptions, names and lines is not interpreted."""
    ask(page, "evil", "needle")
    expect(page.locator(".match h2")).to_have_text("<img src=x onerror=alert(1)>")
    expect(page.locator(".match .file")).to_have_text("<b>.py")
    expect(page.locator(".match code")).to_have_text("needle <i>in</i>")
    assert page.locator(".match img, .match b, .match i").count() == 0


def test_only_a_web_address_becomes_a_link(page: Page) -> None:
    """The listing's address of a gist may be anything."""
    ask(page, "evil", "script")
    expect(page.locator(".match h2")).to_have_text("z.py")
    assert page.locator("a[href^=javascript]").count() == 0


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_csp_allows_this_service_only(service: Serving, path: str) -> None:
    """No inline script or style, other host or frame is allowed; only images may use data URLs."""
    policy = requests.get(service.url + path, timeout=SECONDS).headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    allowed = {"default-src": "'none'", "base-uri": "'none'", "frame-ancestors": "'none'"}
    if path == "/docs":
        allowed["img-src"] = "'self' data:"
    assert rules == dict.fromkeys(rules, "'self'") | allowed


def test_assets_are_revalidated(service: Serving) -> None:
    """The browser caches scripts and styles, and revalidates them by their ETag."""
    for path in ("/static/app.js", "/static/style.css", "/docs/swagger-ui-bundle.js"):
        first = requests.get(service.url + path, timeout=SECONDS)
        assert first.headers["Cache-Control"] == "no-cache"
        etag = {"If-None-Match": first.headers["ETag"]}
        assert requests.get(service.url + path, headers=etag, timeout=SECONDS).status_code == 304


def test_the_references_script_is_compressed_on_request(service: Serving) -> None:
    """It has less than a third of the size; each form has its own ETag."""
    url = f"{service.url}/docs/swagger-ui-bundle.js"
    plain = requests.get(url, headers={"Accept-Encoding": "identity"}, timeout=SECONDS)
    small = requests.get(url, headers={"Accept-Encoding": "gzip"}, timeout=SECONDS)
    assert small.content == plain.content
    assert int(small.headers["Content-Length"]) * 3 < len(plain.content)
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Vary"] == small.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["ETag"] != small.headers["ETag"]


def test_results_appear_during_the_search_and_stop_ends_it(page: Page, hub: FakeGithub) -> None:
    """Matches and counts are shown before the end; Stop keeps what was found."""
    slow = {gist.id for gist in user(hub, "many").gists[:60]}
    hub.faults.inject(
        HELD,
        path=lambda asked: any(gist_id in asked.target for gist_id in slow),
        origin="raw",
    )
    ask(page, "many", ".")
    expect(page.locator("#counts")).to_contain_text("of 120 gists")
    expect(page.locator("#counts")).to_contain_text("files")
    assert page.locator(".match").count() >= 10
    done = page.get_by_role("progressbar").get_attribute("value")
    assert 0 < float(done or 0) < 120
    found = page.locator(".match").count()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Search")).to_be_visible()
    expect(page.locator("#counts")).to_contain_text("stopped")
    assert page.locator(".match").count() >= found
    hub.wait_quiet()  # the service has dropped its downloads


def test_the_page_works_by_keyboard(page: Page, hub: FakeGithub) -> None:
    """The user field has the focus; `/`, Enter, Esc and the arrow keys do the rest."""
    expect(page.get_by_label("GitHub user")).to_be_focused()
    page.keyboard.type("octocat")
    page.keyboard.press("Tab")
    page.keyboard.type("import requests")
    page.keyboard.press("Enter")
    expect(page.locator(".match")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".match a.line").nth(1)).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Pattern")).to_be_focused()
    hub.faults.inject(HELD, origin="raw")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Search")).to_be_visible()


def test_a_search_can_be_continued_after_its_deadline(browser: Browser, hub: FakeGithub) -> None:
    """The button continues from the cursor and adds what it finds."""
    with (
        serving(hub, cache_url="off", search_deadline_seconds=5) as service,
        visit(browser, f"{service.url}/") as visited,
    ):
        page = visited.page
        slow = user(hub, "octocat").in_order()[1]
        hub.faults.inject(HELD, path=slow.id)
        ask(page, "octocat", "requests|HelloWorld")
        expect(page.locator("#gaps")).to_contain_text("deadline")
        hub.faults.clear()
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("status")).to_contain_text("Done")
        gists = [found.get_attribute("href") for found in page.locator(".match h2 a").all()]
        assert sorted(map(str, gists)) == sorted(
            user(hub, "octocat").matching("requests|HelloWorld")
        )


@pytest.mark.parametrize(
    ("pattern", "before", "marked", "words"),
    [
        ("import (requests", "import ", "(", "missing ), unterminated subpattern (at character 8)"),
        ("😀😀[a", "😀😀", "[", "unterminated character set (at character 3)"),
        ("ab(", "ab", "(", "missing ), unterminated subpattern"),
        ("a\\", "a", "\\", "bad escape (end of pattern)"),
    ],
)
def test_an_invalid_pattern_is_marked_at_its_position(
    page: Page, pattern: str, before: str, marked: str, words: str
) -> None:
    """The message is Python's; the character is marked in it and selected in the field."""
    ask(page, "octocat", pattern)
    fault = page.get_by_role("alert")
    expect(fault).to_contain_text(words)
    expect(fault.locator("mark")).to_have_text(marked)
    field = page.get_by_label("Pattern")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    selected = "input => [...input.value.slice(0, input.selectionStart)].join('')"
    assert field.evaluate(selected) == before
    field.fill("TODO")
    page.keyboard.press("Enter")
    expect(fault).to_be_hidden()
    expect(page.locator(".match")).to_have_count(2)


@pytest.mark.parametrize(
    ("username", "words"),
    [("nobody", "GitHub knows no such user."), ("a!b", "A GitHub login has 1 to 39 letters")],
)
def test_an_error_is_shown(page: Page, username: str, words: str) -> None:
    """It has the service's message."""
    ask(page, username, "x")
    expect(page.get_by_role("alert")).to_contain_text(words)


def test_an_unreachable_service_is_reported(browser: Browser, hub: FakeGithub) -> None:
    """The page says that there was no answer."""
    with serving(hub) as service, visit(browser, f"{service.url}/") as visited:
        service.process.kill()
        service.ended()
        ask(visited.page, "octocat", "x")
        expect(visited.page.get_by_role("alert")).to_have_text("The service can't be reached.")
        visited.faults = [fault for fault in visited.faults if "net::ERR_" not in fault]


def test_a_link_repeats_the_search_with_all_its_options(browser: Browser, page: Page) -> None:
    """The address bar and the link contain it; opening the link runs it; Back works."""
    page.get_by_label("Ignore case").check()
    page.get_by_label("Files").fill("*.md, !README*")
    page.get_by_label("Updated since").fill("2020-01-01")
    ask(page, "octocat", "todo & +%#'\"")
    expect(page.locator("#counts")).to_contain_text("No gist matches")
    ask(page, "octocat", "todo")
    expect(page.locator(".match .file")).to_have_text(["tea.md"])
    page.get_by_text("Repeat this search").click()
    address = page.locator("#link").get_attribute("href")
    assert address == page.url
    with visit(browser, page.url) as again:
        expect(again.page.locator(".match .file")).to_have_text(["tea.md"])
        expect(again.page.get_by_label("Files")).to_have_value("*.md, !README*")
        expect(again.page.get_by_label("Ignore case")).to_be_checked()
    page.go_back()
    expect(page.get_by_label("Pattern")).to_have_value("todo & +%#'\"")
    expect(page.locator("#counts")).to_contain_text("No gist matches")


def test_a_key_field_appears_if_one_is_required(
    browser: Browser, hub: FakeGithub, tmp_path: Path
) -> None:
    """It appears with the refusal; the key is sent with the search and is in no link."""
    keys = tmp_path / "keys.json"
    key = KeyFile(keys).create("ci")
    with serving(hub, keys_file=keys) as service, visit(browser, f"{service.url}/") as visited:
        page = visited.page
        expect(page.get_by_label("Key of this service")).to_be_hidden()
        ask(page, "octocat", "HelloWorld")
        expect(page.get_by_role("alert")).to_contain_text(
            "This service needs a key. Enter it below."
        )
        expect(page.get_by_label("Key of this service")).to_be_focused()
        page.keyboard.type(key)
        page.keyboard.press("Enter")
        expect(page.locator(".match")).to_have_count(1)
        expect(page.get_by_role("alert")).to_be_hidden()
        page.get_by_text("Repeat this search").click()
        expect(page.locator("#curl")).to_contain_text('-H "Authorization: Bearer $KEY"')
        assert key not in page.url + page.locator("#repeat").inner_text()


def test_the_curl_command_has_the_same_answer(page: Page) -> None:
    """Pasted into a shell it gets the page's answer, whatever quotes the pattern has."""
    ask(page, "mona", "split\\(/|it's")
    expect(page.locator(".match")).to_have_count(1)
    page.get_by_text("Repeat this search").click()
    page.get_by_role("button", name="Copy curl").click()
    expect(page.get_by_role("status")).to_have_text("Copied")
    command = page.evaluate("navigator.clipboard.readText()")
    done = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True)
    answer = json.loads(done.stdout)
    assert answer["pattern"] == "split\\(/|it's"
    assert answer["details"][0]["files"][0]["file"] == "count words.js"


def test_the_reference_uses_this_service_only(browser: Browser, service: Serving) -> None:
    """The search's operation is open and can be tried; no other host is contacted."""
    with visit(browser, f"{service.url}/docs") as visited:
        page = visited.page
        expect(page.get_by_text("invalid_pattern").first).to_be_visible()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        answered = page.locator(".live-responses-table .response .response-col_status")
        expect(answered.first).to_contain_text("200")
        page.get_by_role("link", name="Search gists").click()
        expect(page.get_by_label("Pattern")).to_be_visible()
