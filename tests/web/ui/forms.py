"""Searching on the page as a person does."""

from __future__ import annotations

from playwright.sync_api import Page


def ask(page: Page, username: str, pattern: str) -> None:
    """Fill in the form and submit it by keyboard."""
    page.get_by_label("GitHub user").fill(username)
    page.get_by_label("Pattern").fill(pattern)
    page.keyboard.press("Enter")
