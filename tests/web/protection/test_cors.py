"""Pages of other origins that may call the API."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from werkzeug.test import TestResponse

from gistapi.errors import OverloadedError
from gistapi.web import create_web
from gistapi.web.protection.captcha import HEADER
from tests.browser import chromium
from tests.fake_github import FakeGithub
from tests.serving import serving
from tests.web.searches import SEARCH, Searches

ORIGINS = ("https://one.example", "http://127.0.0.1:3000")
QUERY = {"username": "octocat", "pattern": "x"}
ASKED = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": f"content-type,authorization,x-api-key,{HEADER.lower()},evil",
}


def access(answer: TestResponse) -> dict[str, str]:
    """The answer's Access-Control headers."""
    prefix = "Access-Control-"
    return {
        name.removeprefix(prefix): value
        for name, value in answer.headers
        if name.startswith(prefix)
    }


def test_without_origins_no_page_may_call_the_api() -> None:
    """This is the default: no answer has a CORS header."""
    client = Searches().client()
    headers = {"Origin": "https://one.example"}
    assert access(client.post(SEARCH, json=QUERY, headers=headers)) == {}
    assert access(client.options(SEARCH, headers=headers | ASKED)) == {}


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_preflight_needs_no_key_and_searches_nothing(origin: str) -> None:
    """Its answer has no content, and lists the API's methods and headers."""
    searches = Searches()
    client = create_web(searches, cors_origins=ORIGINS).test_client()
    answer = client.options(SEARCH, headers={"Origin": origin} | ASKED)
    assert (answer.status_code, answer.data) == (200, b"")
    allowed = access(answer)
    assert allowed.pop("Allow-Headers").lower().split(", ") == sorted(
        ["content-type", "authorization", "x-api-key", HEADER.lower()]
    )
    assert allowed.pop("Expose-Headers")
    assert allowed == {
        "Allow-Origin": origin,
        "Allow-Methods": "GET, POST, QUERY",
        "Max-Age": "600",
    }
    assert searches.asked == []


def test_an_allowed_origin_can_read_answers_and_errors() -> None:
    """It also reads the headers that a client needs, without credentials."""
    client = create_web(Searches(), cors_origins=ORIGINS).test_client()
    headers = {"Origin": ORIGINS[0]}
    app = create_web(Searches(refusal=OverloadedError("full", 3)), cors_origins=ORIGINS)
    for answer, status in (
        (client.post(SEARCH, json=QUERY, headers=headers), 200),
        (client.post(SEARCH, json={}, headers=headers), 400),
        (client.post(SEARCH, data="x", headers=headers), 415),
        (client.post(SEARCH, data="x" * 70_000, headers=headers), 413),
        (client.put(SEARCH, headers=headers), 405),
        (client.get("/api/nowhere", headers=headers), 404),
        (app.test_client().post(SEARCH, json=QUERY, headers=headers), 503),
    ):
        assert answer.status_code == status
        exposed = "RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-ID"
        assert access(answer) == {"Allow-Origin": ORIGINS[0], "Expose-Headers": exposed}
        assert "Origin" in answer.vary


@pytest.mark.parametrize(
    "origin",
    [
        "https://two.example",
        "http://one.example",
        "https://one.example:444",
        "https://one.example.evil.example",
        "https://evil-one.example",
        "https://one.example/",
        "https://one.example,http://127.0.0.1:3000",
        "null",
        "*",
    ],
)
def test_other_origins_are_refused(origin: str) -> None:
    """Origins are compared as a whole; `Vary` keeps caches from mixing them."""
    client = create_web(Searches(), cors_origins=ORIGINS).test_client()
    for answer in (
        client.post(SEARCH, json=QUERY, headers={"Origin": origin}),
        client.options(SEARCH, headers={"Origin": origin} | ASKED),
    ):
        assert access(answer) == {}
        assert "Origin" in answer.vary


def test_pages_and_probes_have_no_cors() -> None:
    """Only paths under /api can be read by other origins."""
    client = create_web(Searches(), cors_origins=ORIGINS).test_client()
    for path in ("/", "/ping", "/metrics", "/openapi.json"):
        assert access(client.get(path, headers={"Origin": ORIGINS[0]})) == {}


class _Page(http.server.BaseHTTPRequestHandler):
    """An empty page at any path."""

    def do_GET(self) -> None:
        """Send it."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Log nothing."""


@contextmanager
def site() -> Iterator[str]:
    """Serve another site; yields its origin."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


CALL = """async ([url, body]) => {
  try {
    const answer = await fetch(url, {method: "POST", body: JSON.stringify(body),
      headers: {"Content-Type": "application/json", "X-API-Key": "none"}});
    const found = await answer.json();
    return [answer.status, found.status, Boolean(answer.headers.get("X-Request-ID"))];
  } catch (error) { return [0, String(error), false]; }
}"""


def test_a_browser_obeys_the_allowed_origins(github: FakeGithub) -> None:
    """Chromium sends a preflight, and lets an allowed page read answers and errors of the API."""
    github.add_user("octocat").add_gist({"a.txt": "needle"})
    with (
        site() as friend,
        site() as stranger,
        chromium() as browser,
        serving(github, cors_origins=friend) as service,
    ):
        page = browser.new_page()
        for origin, body, expected in (
            (friend, QUERY, [200, "success", True]),
            (friend, {}, [400, "error", True]),
            (stranger, QUERY, [0, "TypeError: Failed to fetch", False]),
        ):
            page.goto(origin)
            assert page.evaluate(CALL, [f"{service.url}{SEARCH}", body]) == expected
        page.close()
        assert len(github.requests_to("api")) == 1
