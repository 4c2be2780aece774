"""Errors as HTTP answers: each has one status, one code and one shape."""

from __future__ import annotations

import logging

import pytest

from gistapi import errors
from gistapi.models import Begin
from tests.web.searches import NDJSON, PROBLEM, Searches

KNOWN = [
    (errors.InvalidCursorError("Not a cursor of this query."), 400, "invalid_cursor"),
    (errors.UserNotFoundError("GitHub knows no such user."), 404, "user_not_found"),
    (errors.ByteQuotaError("Spent.", 60), 429, "byte_quota_exceeded"),
    (errors.GithubError("GitHub answered 500."), 502, "github_error"),
    (errors.GithubRateLimitedError("Spent.", 12.2), 503, "github_rate_limited"),
    (errors.OverloadedError("Too many searches.", 0.1), 503, "overloaded"),
    (errors.UnauthorizedError("A key is required."), 401, "unauthorized"),
    (errors.ForbiddenError("Not from this address."), 403, "forbidden"),
    (errors.CaptchaRequiredError("Solve the captcha first."), 403, "captcha_required"),
    (errors.RateLimitedError("30 searches a minute.", 12.3), 429, "rate_limited"),
    (errors.GithubTimeoutError("No answer."), 504, "github_timeout"),
    (errors.DeadlineError("No answer."), 504, "github_timeout"),
]


@pytest.mark.parametrize(("error", "status", "code"), KNOWN)
@pytest.mark.parametrize("headers", [{}, NDJSON])
def test_each_error_has_its_status_and_code(
    error: errors.GistapiError, status: int, code: str, headers: dict[str, str]
) -> None:
    """Status and code are those of the contract's table, for plain answers and streams."""
    for searches in (Searches(refusal=error), Searches([error])):
        answer = searches.post(headers={"X-Request-ID": "r"} | headers)
        assert answer.status_code == status
        assert answer.get_json() == {
            "status": "error",
            "code": code,
            "message": str(error),
            "request_id": "r",
        }


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (errors.GithubRateLimitedError("Spent.", 12.2), "13"),
        (errors.OverloadedError("Stopping.", 0.0), "1"),
        (errors.RateLimitedError("30 searches a minute.", 12.3), "13"),
        (errors.GithubTimeoutError("No answer."), None),
    ],
)
def test_retry_after_is_the_wait(error: errors.GistapiError, seconds: str | None) -> None:
    """It is in whole seconds, rounded up, at least 1."""
    assert Searches(refusal=error).post().headers.get("Retry-After") == seconds


def test_an_invalid_pattern_is_reported_with_pythons_message_and_position() -> None:
    """`message` and `errors` have Python's reason and the 0-based position."""
    error = errors.InvalidPatternError("missing ), unterminated subpattern", 2)
    answer = Searches(refusal=error).post(headers={"X-Request-ID": "r"})
    assert answer.status_code == 400
    assert answer.get_json() == {
        "status": "error",
        "code": "invalid_pattern",
        "message": "The pattern is not a regular expression: "
        "missing ), unterminated subpattern at position 2.",
        "errors": [
            {"field": "pattern", "message": "missing ), unterminated subpattern", "position": 2}
        ],
        "request_id": "r",
    }


def test_a_pattern_that_is_too_costly_has_no_position() -> None:
    """It may be a valid regular expression, so the message does not deny that."""
    body = Searches(refusal=errors.InvalidPatternError("it is too costly")).post().get_json()
    assert body["message"] == "The pattern cannot be searched: it is too costly."
    assert body["errors"] == [{"field": "pattern", "message": "it is too costly"}]


def test_problem_json_on_request() -> None:
    """`Accept: application/problem+json` gets the same facts in the form of RFC 9457."""
    error = errors.GithubRateLimitedError("GitHub's budget is spent.", 30.0)
    answer = Searches(refusal=error).post(headers=PROBLEM | {"X-Request-ID": "r"})
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Retry-After"] == "30"
    body = answer.get_json()
    assert body["status"] == answer.status_code == 503
    assert body["type"] == "about:blank"
    assert body["title"] == "Service Unavailable"
    assert body["detail"] == "GitHub's budget is spent."
    assert body["instance"] == "/api/v1/search"
    assert body["code"] == "github_rate_limited"
    assert body["request_id"] == "r"


def test_problem_json_lists_the_faults_too() -> None:
    """Both shapes have `errors`, and Flask's own errors have both shapes."""
    body = Searches().post(headers=PROBLEM, limit=0).get_json()
    assert [fault["field"] for fault in body["errors"]] == ["limit"]
    missing = Searches().client().get("/n%C3%B6pe", headers=PROBLEM)
    assert missing.mimetype == "application/problem+json"
    assert missing.get_json()["instance"] == "/n%C3%B6pe"


@pytest.mark.parametrize("accept", ["*/*", "application/*", "text/*", "image/png;q=0.1", "?"])
def test_any_other_accept_gets_the_plain_shape(accept: str) -> None:
    """The answer is never a 406 and never HTML."""
    answer = Searches().client().get("/nope", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (404, "application/json")


def test_an_unexpected_error_is_a_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The answer has the request ID; the log has the ID and the traceback."""
    with caplog.at_level(logging.ERROR):
        answer = Searches([Begin(), ZeroDivisionError("canary")]).post(
            headers={"X-Request-ID": "r-9"}
        )
    assert answer.status_code == 500
    assert answer.get_json()["code"] == "internal_error"
    assert answer.get_json()["request_id"] == "r-9"
    assert b"canary" not in answer.data
    assert b"Traceback" not in answer.data
    assert "canary" in caplog.text
    assert "r-9" in caplog.text


def test_an_expected_error_has_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """This holds for errors of the caller and of GitHub."""
    with caplog.at_level(logging.DEBUG):
        Searches(refusal=errors.GithubError("GitHub answered 500.")).post(buffered=True)
        Searches().post(limit=0, buffered=True)
    assert all(record.exc_info is None for record in caplog.records)
    assert max(record.levelno for record in caplog.records) == logging.WARNING


def test_the_log_has_the_cause_that_the_answer_omits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is the library's message, without credentials and without the user's name."""
    error = errors.GithubError("GitHub could not be reached.")
    error.__cause__ = OSError("proxy http://me:secret@proxy:80: /users/canary/gists: refused")
    answer = Searches(refusal=error).post()
    (record,) = [record for record in caplog.records if record.getMessage() == "request failed"]
    assert vars(record)["causes"] == [
        "GithubError: GitHub could not be reached.",
        "OSError: proxy http://…@proxy:80: /users/…/gists: refused",
    ]
    assert "proxy" not in answer.text


def test_every_error_that_can_end_a_search_has_a_row() -> None:
    """Every kind of GistapiError is in the table, or is listed here as internal."""
    inside = {
        errors.SettingsError,  # stops the start
        errors.KeyFileError,  # the same; later a 500, and the log says why
        errors.IncompleteError,  # becomes an entry of `incomplete`
        errors.PatternTimeoutError,  # the same
        errors.RawRefusedError,  # the file is read by git
        errors.GoneError,  # is left out
        errors.CancelledError,  # the client has left
        errors.CacheMissError,  # the content is requested from GitHub
    }
    mapped = {type(error) for error, _, _ in KNOWN}
    mapped |= {errors.InvalidPatternError, errors.InvalidGlobError}
    abstract = {errors.GistapiError, errors.QueryError, errors.RefusedError}
    kinds = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.GistapiError)
    }
    assert kinds == inside | mapped | abstract
