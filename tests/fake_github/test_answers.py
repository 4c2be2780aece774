"""The fake GitHub's answers to requests that fail."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from tests.fake_github import FakeGithub, Fault, answers
from tests.fake_github.message import from_json


def _answers(github: FakeGithub) -> Iterator[tuple[Fault, int, str]]:
    """Each failing answer with its status and a part of its body."""
    yield Fault(answer=answers.blocked(451)), 451, '"block"'
    yield Fault(answer=answers.spammed()), 422, "Validation Failed"
    yield Fault(answer=answers.unicorn()), 502, "<html>"
    yield Fault(answer=from_json(200, {})), 200, "{}"
    yield Fault(answer=answers.primary_limit(429)), 429, "API rate limit exceeded"
    yield Fault(answer=answers.secondary_limit()), 403, "secondary rate limit"
    yield Fault(answer=answers.raw_limit("3")), 429, "Too many requests"
    yield Fault(answer=answers.too_big()), 403, "too big"
    yield Fault(answer=answers.redirect(github.api_url + "/elsewhere")), 302, ""


def test_ready_made_answers(github: FakeGithub, http: requests.Session) -> None:
    """An answer that replaces a list has GitHub's status and message."""
    for fault, status, words in _answers(github):
        github.faults.inject(fault, times=1)
        url = f"{github.api_url}/users/octocat/gists"
        response = http.get(url, timeout=10, allow_redirects=False)
        assert response.status_code == status
        assert words in response.text


def test_limits_say_when_to_retry(github: FakeGithub, http: requests.Session) -> None:
    """The primary limit names a reset, the secondary one `Retry-After` or nothing."""
    limits = (
        answers.primary_limit(reset_in=30),
        answers.secondary_limit(retry_after="7"),
        answers.secondary_limit(429, retry_after=None),
    )
    url = f"{github.api_url}/users/octocat/gists"
    for limit in limits:
        github.faults.inject(Fault(answer=limit), times=1)
    primary, secondary, silent = (http.get(url, timeout=10).headers for _ in limits)
    assert primary["X-RateLimit-Remaining"] == "0"
    assert 28 <= int(primary["X-RateLimit-Reset"]) - time.time() <= 31
    assert secondary["Retry-After"] == "7"
    for headers in (secondary, silent):
        assert "X-RateLimit-Remaining" not in headers
    assert "Retry-After" not in silent


def test_a_redirect_loop(github: FakeGithub, http: requests.Session) -> None:
    """A redirect to the request's own address never ends; one to another origin is followed."""
    gist = github.add_user("octocat").add_gist({"a": "text"})
    url = github.raw_url + gist.raw_path(gist.files["a"])
    loop = Fault(answer=lambda request: answers.redirect(request.target))
    rule = github.faults.inject(loop)
    with pytest.raises(requests.TooManyRedirects):
        http.get(url, timeout=10)
    github.faults.remove(rule)
    github.faults.inject(Fault(answer=answers.redirect(url)), origin="api")
    assert http.get(github.api_url, timeout=10).text == "text"
