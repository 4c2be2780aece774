"""The answer as NDJSON."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from gistapi.errors import GithubRateLimitedError, UserNotFoundError
from gistapi.models import Begin, Incomplete, Progress
from gistapi.search.details import detail
from gistapi.web import create_web
from tests.web.searches import NDJSON, SEARCH, Searches, end, match


def lines(data: bytes) -> list[dict[str, Any]]:
    """Parse each line; the last one has to end with a newline too."""
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.splitlines()]


def test_every_event_is_one_line() -> None:
    """Begin, match, progress, incomplete and end are lines in the order sent."""
    gap = Incomplete("https://gist.github.com/7", "b.txt", "pattern_timeout", "Too slow.")
    searches = Searches(
        [Begin(), match(2), Progress(3, None, 5, 99), gap, end(1, partial=True, following="c")]
    )
    sent = lines(searches.post(headers=NDJSON).data)
    assert [line["type"] for line in sent] == ["begin", "match", "progress", "incomplete", "end"]
    begin, found, progress, incomplete, ended = [line["data"] for line in sent]
    assert begin == {"username": "octocat", "pattern": "import requests"}
    assert found["files"][0]["matches"][0]["url"] == "https://gist.github.com/2#file-a-py-L1"
    assert progress == {"gists_done": 3, "gists_total": None, "files_done": 5, "bytes_done": 99}
    assert incomplete["reason"] == "pattern_timeout"
    searched = {"gists": 0, "files": 0, "size_bytes": 0, "listing_age_seconds": 0}
    expected = {"status": "partial", "matches": 1, "next": "c", "elapsed_seconds": 0.25}
    assert ended == expected | {"searched": searched}


def test_without_more_to_come_the_end_has_no_next() -> None:
    """`next` is there only if the search can be continued."""
    (_, ended) = lines(Searches().post(headers=NDJSON).data)
    assert (ended["data"]["status"], ended["data"]["matches"]) == ("success", 0)
    assert "next" not in ended["data"]


def test_a_stream_is_ndjson_and_unbuffered() -> None:
    """Its headers forbid storing and buffering; the search is closed at the end."""
    searches = Searches()
    answer = searches.post(headers=NDJSON)
    assert answer.mimetype == "application/x-ndjson"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Vary"] == "Accept"
    assert [query.details for query in searches.asked] == [True]
    answer.close()
    assert searches.closed == 1


def test_a_failure_before_the_first_event_has_its_status() -> None:
    """Until a line has been sent, an error is an HTTP error."""
    searches = Searches([UserNotFoundError("GitHub knows no such user.")])
    answer = searches.post(headers=NDJSON)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "user_not_found")
    assert answer.mimetype == "application/json"
    assert searches.closed == 1


def test_a_failure_after_the_first_line_is_an_error_line() -> None:
    """It has the contract's error shape, and is the last line."""
    searches = Searches([Begin(), match(1), GithubRateLimitedError("Spent.", 60.0), end()])
    answer = searches.post(headers=NDJSON | {"X-Request-ID": "r-1"})
    assert answer.status_code == 200
    sent = lines(answer.data)
    assert [line["type"] for line in sent] == ["begin", "match", "error"]
    assert sent[-1]["data"] == {
        "status": "error",
        "code": "github_rate_limited",
        "message": "Spent.",
        "request_id": "r-1",
    }


def test_an_unexpected_failure_is_an_error_line_too(caplog: pytest.LogCaptureFixture) -> None:
    """Its code is internal_error; only the log has its message."""
    searches = Searches([Begin(), ZeroDivisionError("canary")])
    with caplog.at_level(logging.ERROR):
        answer = searches.post(headers=NDJSON | {"X-Request-ID": "r-2"})
    assert lines(answer.data)[-1]["data"]["code"] == "internal_error"
    assert b"canary" not in answer.data
    assert "canary" in caplog.text
    assert "r-2" in caplog.text


@pytest.mark.parametrize("read", [0, 1, 2])
def test_closing_the_stream_ends_the_search(read: int) -> None:
    """It does not matter how much was read."""
    searches = Searches([Begin(), match(1), match(2), end(2)])
    body = {"username": "octocat", "pattern": "x"}
    headers = list(NDJSON.items())
    environ = EnvironBuilder(SEARCH, method="POST", json=body, headers=headers).get_environ()
    chunks, _, _ = run_wsgi_app(create_web(searches), environ)
    for _ in range(read):
        next(iter(chunks))
    assert searches.closed == 0
    chunks.close()  # type: ignore[attr-defined]
    assert searches.closed == 1


@pytest.mark.parametrize(
    ("accept", "streams"),
    [
        ("application/x-ndjson", True),
        ("application/json;q=0.5, application/x-ndjson", True),
        ("application/x-ndjson;q=0.5, application/json", False),
        ("application/x-ndjson;q=0", False),
        ("*/*", False),
        ("application/*", False),
        ("text/html", False),
        ("", False),
    ],
)
def test_a_stream_is_sent_only_if_requested(accept: str, *, streams: bool) -> None:
    """`Accept` has to name NDJSON; otherwise the answer is JSON."""
    answer = Searches().post(headers={"Accept": accept})
    assert answer.status_code == 200
    assert (answer.mimetype == "application/x-ndjson") is streams


def test_a_match_of_many_lines_is_made_into_text_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call of `json.dumps` for all of it would let no other thread run for 100 ms."""
    found = match(1)
    hit = replace(found.files[0].hits[0], before=("\U0001f600" * 300,) * 10)
    many = replace(found, files=(replace(found.files[0], hits=(hit,) * 1000),))
    longest = 0
    dumps = json.dumps

    def counting(value: object, **options: Any) -> str:
        nonlocal longest
        text = dumps(value, **options)
        longest = max(longest, len(text))
        return text

    monkeypatch.setattr(json, "dumps", counting)
    answer = Searches([Begin(), many, end(1)]).post(headers=NDJSON, context=10)
    sent = answer.data.splitlines()
    assert longest < 64 * 1024
    assert [line["type"] for line in lines(answer.data)] == ["begin", "match", "end"]
    expected = {"type": "match", "data": detail(many, context=True)}
    assert sent[1].decode() == dumps(expected)


def test_only_a_stream_forgets_what_it_has_sent() -> None:
    """Other answers are made when the search has ended."""
    searches = Searches()
    for accept in ("application/x-ndjson", "application/json", "text/csv"):
        searches.post(headers={"Accept": accept}, buffered=True)
    path = f"{SEARCH}.atom?username=octocat&pattern=x"
    searches.client().get(path, headers=NDJSON, buffered=True)
    assert searches.kept == [False, True, True, True]
