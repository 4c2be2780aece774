"""The table of errors: the status and code for each error, and when it is sent.

Answers, openapi.json and docs/api.md are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gistapi import errors
from gistapi.search.report import ErrorCode, FieldError


class InvalidRequestError(errors.GistapiError):
    """The request violates the contract; `errors` names the fields."""

    def __init__(self, message: str, fields: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(fields)


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One row of the table of errors: the answer to each of `kinds`.

    `when` completes "sent when …" in the documentation. `headers` are those that the answer has.
    """

    status: int
    code: ErrorCode
    when: str
    kinds: tuple[type[errors.GistapiError], ...] = ()
    headers: tuple[str, ...] = ()


_RATE = ("Retry-After", "RateLimit", "RateLimit-Policy")
TABLE: tuple[ErrorRow, ...] = (
    ErrorRow(
        400,
        "invalid_request",
        "the body, a query parameter or the HTTP message itself is malformed",
        (InvalidRequestError, errors.QueryError),
    ),
    ErrorRow(
        400,
        "invalid_pattern",
        "the pattern is not a regular expression, or is too long, too deep or too costly",
        (errors.InvalidPatternError,),
    ),
    ErrorRow(
        400,
        "invalid_cursor",
        "the cursor is damaged or belongs to another query",
        (errors.InvalidCursorError,),
    ),
    ErrorRow(
        401,
        "unauthorized",
        "a key is required and none or a wrong one was sent, or GitHub refused the caller's token",
        (errors.UnauthorizedError,),
        ("WWW-Authenticate",),
    ),
    ErrorRow(403, "forbidden", "the caller's address is not allowed", (errors.ForbiddenError,)),
    ErrorRow(
        403,
        "captcha_required",
        "callers without a key must solve the captcha",
        (errors.CaptchaRequiredError,),
    ),
    ErrorRow(
        404,
        "user_not_found",
        "GitHub knows no such user, organization or gist",
        (errors.UserNotFoundError,),
    ),
    ErrorRow(404, "not_found", "the service has nothing at this path"),
    ErrorRow(
        405,
        "method_not_allowed",
        "the path does not support the method; `Allow` lists those it does",
        headers=("Allow",),
    ),
    ErrorRow(413, "request_too_large", "the body is larger than 64 KiB"),
    ErrorRow(
        415,
        "unsupported_media_type",
        "the body is not `application/json`, or has a `Content-Encoding`",
    ),
    ErrorRow(
        416,
        "range_not_satisfiable",
        "`Range` names no part of the file",
        headers=("Content-Range",),
    ),
    ErrorRow(
        429,
        "rate_limited",
        "the caller's rate limit is exceeded",
        (errors.RateLimitedError,),
        _RATE,
    ),
    ErrorRow(
        429,
        "byte_quota_exceeded",
        "the caller's daily download quota is used up",
        (errors.ByteQuotaError,),
        _RATE,
    ),
    ErrorRow(500, "internal_error", "the service has a bug; its log names the request"),
    ErrorRow(
        502,
        "github_error",
        "GitHub failed before anything was searched",
        (errors.GithubError,),
    ),
    ErrorRow(
        503,
        "github_rate_limited",
        "GitHub's rate limit is exhausted",
        (errors.GithubRateLimitedError,),
        ("Retry-After",),
    ),
    ErrorRow(
        503,
        "overloaded",
        "too many searches or connections are open, or the service is stopping",
        (errors.OverloadedError,),
        ("Retry-After",),
    ),
    ErrorRow(
        504,
        "github_timeout",
        "GitHub did not answer in time",
        (errors.GithubTimeoutError, errors.DeadlineError),
    ),
)
"""The table of errors. Answers, openapi.json and docs/api.md are made from it."""

ROWS = {kind: row for row in TABLE for kind in row.kinds}
INTERNAL = next(row for row in TABLE if row.code == "internal_error")

HTTP_PROBLEMS: Mapping[int, tuple[ErrorCode, str]] = {
    400: ("invalid_request", "The request is not valid HTTP."),
    404: ("not_found", "There is nothing at this path."),
    405: ("method_not_allowed", "This path does not support the method."),
    408: ("invalid_request", "The body did not arrive within 10 seconds."),
    413: ("request_too_large", "The body is larger than 64 KiB."),
    415: ("unsupported_media_type", "Send the body with `Content-Type: application/json`."),
    416: ("range_not_satisfiable", "`Range` names no part of the file."),
    431: ("invalid_request", "The head of the request is larger than 64 KiB or 100 fields."),
    500: ("internal_error", "Internal error. Please report it with this request ID."),
    503: ("overloaded", "Too many connections are open. Try again in a second."),
}
"""Code and message of the errors that the framework and the HTTP server raise, by status."""
