"""The fake's GraphQL: contents of gists by their node ids, as GitHub's schema has them."""

from __future__ import annotations

from typing import Any

import requests

from gistapi.github.graphql import QUERY
from tests.fake_github import FakeGithub

TOKEN = {"Authorization": "Bearer canary", "User-Agent": "test"}


def node_id(github: FakeGithub, http: requests.Session, login: str) -> str:
    """The node id of a user's newest gist, as the listing shows it."""
    url = f"{github.api_url}/users/{login}/gists"
    found: str = http.get(url, headers={"User-Agent": "test"}, timeout=5).json()[0]["node_id"]
    return found


def ask(
    github: FakeGithub, http: requests.Session, ids: list[str], headers: dict[str, str]
) -> requests.Response:
    """Send the query that the service sends."""
    body = {"query": QUERY, "variables": {"ids": ids}}
    return http.post(f"{github.api_url}/graphql", json=body, headers=headers, timeout=5)


def files(answer: requests.Response) -> list[dict[str, Any]]:
    """The files of the first node."""
    found: list[dict[str, Any]] = answer.json()["data"]["nodes"][0]["files"]
    return found


def test_a_node_has_its_files(github: FakeGithub, http: requests.Session) -> None:
    """Each has its name, its text and whether it is truncated; a binary has no text."""
    github.add_user("o").add_gist({"a": "é", "b": b"\0", "c": "x" * 1_000_001})
    answer = ask(github, http, [node_id(github, http, "o")], TOKEN)
    small, binary, large = files(answer)
    assert small == {"name": "a", "text": "é", "isTruncated": False}
    assert binary["text"] is None
    assert (large["isTruncated"], len(large["text"])) == (True, 1_000_000)
    assert answer.headers["X-RateLimit-Resource"] == "graphql"
    assert answer.headers["X-RateLimit-Remaining"] == "4999"


def test_an_unknown_node_is_null_with_an_error(github: FakeGithub, http: requests.Session) -> None:
    """The other nodes are returned."""
    github.add_user("o").add_gist({"a": "text"})
    answer = ask(github, http, [node_id(github, http, "o"), "unknown"], TOKEN).json()
    assert answer["data"]["nodes"][1] is None
    assert answer["errors"][0]["type"] == "NOT_FOUND"
    assert answer["errors"][0]["path"] == ["nodes", 1]


def test_limits(github: FakeGithub, http: requests.Session) -> None:
    """A token is required; a query has at most 100 ids and limited text; its budget is separate."""
    github.add_user("o").add_gist({"a": "text"})
    found = node_id(github, http, "o")
    assert ask(github, http, [found], {"User-Agent": "test"}).status_code == 401
    assert ask(github, http, ["x"] * 101, TOKEN).json()["errors"][0]["type"] == "ARGUMENT_LIMIT"
    github.api.graphql.max_bytes = 3
    kinds = [error["type"] for error in ask(github, http, [found], TOKEN).json()["errors"]]
    assert kinds == ["RESOURCE_LIMITS_EXCEEDED"]
    github.api.graphql.rate_limit.limit_with_token = 2
    limited = ask(github, http, [found], TOKEN)
    assert (limited.status_code, limited.headers["X-RateLimit-Remaining"]) == (200, "0")
    assert limited.json()["errors"][0]["type"] == "RATE_LIMITED"
