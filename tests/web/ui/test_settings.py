"""Effects of the operator's settings on the search page."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from gistapi.quota.keys import KeyFile
from tests.browser import visit
from tests.fake_github import FakeGithub
from tests.serving import Serving, serving
from tests.web.ui.forms import ask
from tests.web.ui.streams import ENDPOINT

LINK = "/?username=octocat&pattern=import+requests"


def test_with_limits_a_link_waits_for_a_click(browser: Browser, hub: FakeGithub) -> None:
    """It would use up the quota of whoever opened it; the form is filled in."""
    with (
        serving(hub, cache_url="off", daily_limit=1) as service,
        visit(browser, service.url + LINK) as visited,
    ):
        page = visited.page
        expect(page.get_by_text("This link's search has not run yet")).to_be_visible()
        expect(page.get_by_label("Pattern")).to_have_value("import requests")
        expect(page.get_by_role("button", name="Search")).to_be_focused()
        assert service.log.count("/api/v1/search") == 0
        page.keyboard.press("Enter")
        expect(page.locator(".match")).to_have_count(2)
        expect(page.get_by_text("This link's search has not run yet")).to_be_hidden()


TOKEN = "canary"


@pytest.fixture(scope="module")
def own() -> Iterator[Serving]:
    """Yield a service that takes its callers' tokens; the one of octocat has a secret gist."""
    with FakeGithub() as github:
        user = github.add_user("octocat")
        user.add_gist({"secret.txt": "needle"}, public=False)
        user.add_gist({"public.txt": "needle"})
        github.api.grant(TOKEN, user)
        with serving(github, cache_url="off", caller_tokens=True) as service:
            yield service


def ask_own(page: Page) -> None:
    """Search the caller's own gists, with the token."""
    page.get_by_label("My gists").check()
    page.get_by_label("Pattern").fill("needle")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your GitHub token")).to_be_focused()
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator(".match")).to_have_count(2)


def test_my_gists_are_searched_with_my_token(browser: Browser, own: Serving) -> None:
    """Choosing them shows the token's field; the token is in no link, command or storage."""
    with visit(browser, f"{own.url}/") as visited:
        page = visited.page
        expect(page.get_by_label("Your GitHub token")).to_be_hidden()
        ask_own(page)
        page.get_by_text("Repeat this search").click()
        kept = page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
        assert TOKEN not in page.url + kept + page.locator("#repeat").inner_text()
        assert "mine=1" in page.url
        command = page.locator("#curl").inner_text()
        environ = os.environ | {"GITHUB_TOKEN": TOKEN}
        done = subprocess.run(["sh", "-c", command], env=environ, check=True, capture_output=True)
        assert len(json.loads(done.stdout)["matches"]) == 2


def test_the_token_is_sent_with_no_other_search(browser: Browser, own: Serving) -> None:
    """When "My gists" is off, its field is hidden and its value is not sent."""
    with visit(browser, f"{own.url}/") as visited:
        page = visited.page
        ask_own(page)
        page.locator("summary", has_text="Options").click()
        page.get_by_label("My gists").uncheck()
        expect(page.get_by_label("Your GitHub token")).to_be_hidden()
        with page.expect_request("**/api/v1/search") as asked:
            ask(page, "octocat", "needle")
        assert TOKEN not in str(asked.value.all_headers())
        expect(page.locator(".match")).to_have_count(1)


def test_back_and_forward_keep_the_token_and_show_their_search(
    browser: Browser, own: Serving
) -> None:
    """Each address shows its own results; the token stays in its field while the page is open."""
    with visit(browser, f"{own.url}/") as visited:
        page = visited.page
        ask_own(page)
        page.locator("summary", has_text="Options").click()
        page.get_by_label("My gists").uncheck()
        ask(page, "octocat", "needle")
        expect(page.locator(".match")).to_have_count(1)
        page.go_back()
        expect(page.locator(".match")).to_have_count(2)
        page.go_forward()
        expect(page.locator(".match")).to_have_count(1)


def test_a_link_to_my_gists_asks_for_the_token(browser: Browser, own: Serving) -> None:
    """Nothing is sent without it, and results of another search are removed."""
    with visit(browser, f"{own.url}/?username=octocat&pattern=needle") as visited:
        page = visited.page
        expect(page.locator(".match")).to_have_count(1)
        page.evaluate("history.pushState(null, '', '/?mine=1&pattern=needle')")
        page.evaluate("history.pushState(null, '', '/?username=octocat&pattern=needle')")
        page.go_back()
        expect(page.get_by_label("Your GitHub token")).to_be_focused()
        expect(page.get_by_role("alert")).to_contain_text("need your GitHub token")
        expect(page.locator("#outcome")).to_be_hidden()


@pytest.mark.parametrize("keyed", [False, True])
def test_a_limit_asks_for_a_key_only_if_keys_exist(
    browser: Browser, hub: FakeGithub, tmp_path: Path, *, keyed: bool
) -> None:
    """With keys, one may raise the limit; without any, the page asks for none."""
    keys = tmp_path / "keys.json"
    if keyed:
        KeyFile(keys).create("ci")
    refusal = {"code": "rate_limited", "message": "Too many requests.", "errors": []}
    with (
        serving(hub, cache_url="off", keys_file=keys) as service,
        visit(browser, f"{service.url}/") as visited,
    ):
        page = visited.page
        page.route(ENDPOINT, lambda route: route.fulfill(status=429, body=json.dumps(refusal)))
        ask(page, "octocat", "x")
        expect(page.get_by_role("alert")).to_contain_text("Too many requests.")
        expect(page.get_by_label("Key of this service")).to_be_visible(visible=keyed)


@pytest.mark.parametrize("choice", ["My gists", "My stars"])
def test_without_caller_tokens_there_is_no_token_field(
    browser: Browser, service: Serving, choice: str
) -> None:
    """The choices that need one are missing too."""
    with visit(browser, f"{service.url}/") as visited:
        expect(visited.page.get_by_label(choice)).to_have_count(0)
