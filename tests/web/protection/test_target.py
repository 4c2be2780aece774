"""The path and the Host of a request."""

from __future__ import annotations

import pytest

from gistapi.web import create_web
from tests.web.searches import SEARCH, Searches


@pytest.mark.parametrize("target", ["/metrics", SEARCH, "/static/app.js"])
@pytest.mark.parametrize(
    "spelling", ["/{}", "//{}", "{}/", "/.{}", "/x/..{}", "%2f{}", "{}?", "{}#", "\\{}"]
)
def test_a_path_has_one_spelling(target: str, spelling: str) -> None:
    """Any other is a 404, never a redirect, so that a proxy's rules cannot be bypassed."""
    raw = spelling.format(target)
    path = raw.partition("?")[0].replace("%2f", "/")
    client = Searches().client()
    overrides = {"PATH_INFO": path, "REQUEST_URI": raw}
    answer = client.get(environ_overrides=overrides, buffered=True)
    if spelling == "{}?":
        assert answer.status_code != 404
    else:
        assert (answer.status_code, answer.get_json()["code"]) == (404, "not_found")
        assert "Location" not in answer.headers


@pytest.mark.parametrize("encoded", ["/%70ing", "/ping%00", "/m%65trics", "/ping%2f"])
def test_an_encoded_path_is_another_path(encoded: str) -> None:
    """This holds even where the encoding is unnecessary."""
    overrides = {"PATH_INFO": "/ping", "REQUEST_URI": encoded}
    assert Searches().client().get(environ_overrides=overrides).status_code == 404


@pytest.mark.parametrize(
    "host", ["", "a,b", "a b", "user@host", "host:port", "host:123456", "[::1", "http://a", "a/b"]
)
def test_a_request_has_one_valid_host(host: str) -> None:
    """None, two (which a server joins with a comma) or an invalid name is a 400."""
    answer = Searches().client().get("/ping", environ_overrides={"HTTP_HOST": host})
    assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:9876", 200),
        ("127.0.0.1:9876", 200),
        ("[::1]:9876", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("127.0.0.2", 400),
    ],
)
def test_with_allowed_hosts_other_hosts_are_refused(host: str, status: int) -> None:
    """So a page of another site cannot reach this service by a name of its own (DNS rebinding)."""
    hosts = ("localhost", "127.0.0.1", "::1")
    client = create_web(Searches(), allowed_hosts=hosts).test_client()
    body = {"username": "octocat", "pattern": "x"}
    sent = {"HTTP_HOST": host}
    assert client.post(SEARCH, json=body, environ_overrides=sent).status_code == status
    assert client.get("/", environ_overrides=sent).status_code == status
    assert client.get("/ping", environ_overrides=sent).status_code == 200, "probes use addresses"


def test_without_allowed_hosts_every_host_is_accepted() -> None:
    """Behind a proxy the names may be unknown."""
    sent = {"HTTP_HOST": "any.example"}
    assert Searches().client().get("/", environ_overrides=sent).status_code == 200
