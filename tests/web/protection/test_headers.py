"""The headers of every answer."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from gistapi.web import create_web
from tests.fake_github import FakeGithub
from tests.serving import serving
from tests.web.searches import NDJSON, SEARCH, Searches


@pytest.mark.parametrize("sent", ["a", "A-b_c.1", "x" * 128])
def test_a_valid_request_id_is_returned(sent: str) -> None:
    """An X-Request-ID of 1 to 128 of `[A-Za-z0-9._-]` is also in errors and streams."""
    headers = {"X-Request-ID": sent}
    client = Searches().client()
    answers = [client.get("/ping", headers=headers), client.get("/nope", headers=headers)]
    answers += [Searches().post(headers=headers), Searches().post(headers=headers | NDJSON)]
    assert [answer.headers["X-Request-ID"] for answer in answers] == [sent] * 4
    assert answers[1].get_json()["request_id"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", "a/b", "ä", 'a"b'])
def test_any_other_request_id_is_replaced(sent: str) -> None:
    """It is never echoed; each request gets an id of its own."""
    client = Searches().client()
    first, second = (
        client.get("/nope", headers={"X-Request-ID": sent}).headers["X-Request-ID"]
        for _ in range(2)
    )
    assert first not in (sent, second)
    assert len(first) == 32


STRICT = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def test_every_answer_has_the_security_headers(github: FakeGithub) -> None:
    """No route or error of the real server shows a version or allows an inline script."""
    github.add_user("octocat")
    query = {"username": "octocat", "pattern": "x"}
    with serving(github) as service:
        rules = create_web(Searches()).url_map.iter_rules()
        paths = [rule.rule for rule in rules if "<" not in rule.rule]
        paths += ["/static/app.js", "/static/nope", "/docs/swagger-ui.css", "/docs/nope"]
        asked: list[tuple[str, str, dict[str, Any]]] = [("GET", path, {}) for path in paths]
        asked += [(method, "/ping", {}) for method in ("HEAD", "OPTIONS", "POST", "DELETE")]
        asked += [("GET", "/<script>alert(1)</script>", {}), ("BREW", "/", {})]
        bodies: list[dict[str, Any]] = [
            {"json": query},
            {"json": query, "headers": NDJSON},
            {"json": query | {"username": "nobody"}},
            {"json": query | {"pattern": "<script>("}},
            {"data": "<script>"},
            {"data": "x" * 70_000},
        ]
        asked += [("POST", SEARCH, sent) for sent in bodies]
        seen = set()
        for method, path, sent in asked:
            answer = requests.request(method, f"{service.url}{path}", timeout=10, **sent)
            seen.add(answer.status_code)
            assert STRICT.items() <= answer.headers.items(), (method, path)
            assert answer.headers["Server"] == "gistapi"
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert "alert(1)" not in answer.text or not answer.headers["Content-Type"].startswith(
                "text/html"
            )
        assert seen == {200, 400, 404, 405, 413, 415}
