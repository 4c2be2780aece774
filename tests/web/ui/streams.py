"""Handwritten streams in place of the service's answers."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page, Route

ENDPOINT = "**/api/v1/search"


def match(number: int, *, name: str = "a.py", language: str = "Python", hits: int = 1) -> Any:
    """A gist with one file; a higher number was created later and updated earlier."""
    gist = f"https://gist.github.com/{number}"
    found = {"line": 3, "column": 1, "end_line": 3, "end_column": 4, "text": "=a, b", "start": 0}
    found |= {"end": 3, "cut": False, "before": [], "after": [], "url": f"{gist}#file-{name}-L3"}
    file = {"file": name, "language": language, "size_bytes": 9, "more": False}
    data = {
        "gist": gist,
        "owner": "octocat",
        "description": f"Gist {number}",
        "created_at": f"2020-01-{number:02}T00:00:00Z",
        "updated_at": f"2021-01-{29 - number:02}T00:00:00Z",
        "files": [file | {"matches": [found | {"line": 3 + n} for n in range(hits)]}],
    }
    return {"type": "match", "data": data}


def gap(number: int, reason: str = "file_unavailable") -> Any:
    """A file that could not be searched."""
    data = {"gist": f"https://gist.github.com/{number}", "file": "b.py", "reason": reason}
    return {"type": "incomplete", "data": data | {"message": "GitHub answered 500."}}


def end(matches: int, status: str = "success", **more: Any) -> Any:
    """The last line."""
    searched = {"gists": 120, "files": 340, "size_bytes": 2_100_000}
    data = {"status": status, "matches": matches, "searched": searched, "elapsed_seconds": 3.2}
    return {"type": "end", "data": data | more}


def answer(page: Page, *streams: list[Any] | None) -> list[dict[str, Any]]:
    """Answer the page's searches with these streams in turn; None never answers.

    Returns the list of request bodies, which grows with each search.
    """
    bodies: list[dict[str, Any]] = []
    waiting = list(streams)

    def fulfil(route: Route) -> None:
        bodies.append(json.loads(route.request.post_data or ""))
        lines = waiting.pop(0)
        if lines is not None:
            text = "".join(json.dumps(line) + "\n" for line in lines)
            route.fulfill(status=200, content_type="application/x-ndjson", body=text)

    page.route(ENDPOINT, fulfil)
    return bodies
