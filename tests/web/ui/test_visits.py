"""Visits of pages share a process of the browser, and nothing else."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.browser import visit
from tests.serving import Serving


def test_a_visit_leaves_nothing_to_the_next(browser: Browser, service: Serving) -> None:
    """No stored value, cookie, tab, route or listener; the next one gets the same page."""
    with visit(browser, service.url) as first:
        page = first.page
        page.evaluate("localStorage.left = sessionStorage.left = 1; document.cookie = 'left=1'")
        page.context.new_page()
        page.route("**/app.js", lambda route: route.abort())
    with visit(browser, service.url, width=400, theme="dark") as second:
        assert second.page is page
        assert page.context.pages == [page]
        left = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
        assert page.evaluate(left) == '[{},{},""]'
        assert page.evaluate("innerWidth") == 400
        expect(page.get_by_role("button", name="Search")).to_be_enabled()
        page.evaluate("console.error('a fault')")
        assert (first.faults, second.faults) == ([], ["a fault"])
        second.faults.clear()
