"""What the operator's settings change on the search page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import visit
from tests.fake_github import FakeGithub
from tests.serving import Serving, serving

LINK = "/?username=octocat&pattern=import+requests"


def test_a_link_waits_for_a_click_where_searches_are_limited(
    browser: Browser, hub: FakeGithub
) -> None:
    """It would use up a share of whoever opened it; the form is filled."""
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


def test_a_link_runs_where_nothing_is_limited(browser: Browser, service: Serving) -> None:
    """At once."""
    with visit(browser, service.url + LINK) as visited:
        expect(visited.page.locator(".match")).to_have_count(2)
        expect(visited.page.locator("#waits")).to_be_hidden()


def test_ones_own_gists_are_searched_with_ones_own_token(browser: Browser) -> None:
    """The field is asked for with the choice; the token is in no link, command or storage."""
    with FakeGithub() as github:
        user = github.add_user("octocat")
        user.add_gist({"a.txt": "needle"}, public=False)
        github.api.grant("canary", user)
        with (
            serving(github, cache_url="off", caller_tokens=True) as service,
            visit(browser, f"{service.url}/") as visited,
        ):
            page = visited.page
            token = page.get_by_label("Your GitHub token")
            expect(token).to_be_hidden()
            page.get_by_label("My gists").check()
            expect(token).to_be_visible()
            page.get_by_label("Pattern").fill("needle")
            page.keyboard.press("Enter")
            expect(token).to_be_focused()
            page.keyboard.type("canary")
            page.keyboard.press("Enter")
            expect(page.locator(".match")).to_have_count(1)
            page.get_by_text("Repeat this search").click()
            kept = page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
            assert "canary" not in page.url + kept + page.locator("#repeat").inner_text()
            assert "mine=1" in page.url


@pytest.mark.parametrize("choice", ["My gists", "My stars"])
def test_no_token_is_asked_for_where_none_is_taken(
    browser: Browser, service: Serving, choice: str
) -> None:
    """The choices are not there."""
    with visit(browser, f"{service.url}/") as visited:
        expect(visited.page.get_by_label(choice)).to_have_count(0)
