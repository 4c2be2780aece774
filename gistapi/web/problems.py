"""Errors as HTTP answers: the one place that knows which error has which status."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, NotRequired
from urllib.parse import quote

from flask import Flask, Response, g, request
from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on only
from werkzeug.exceptions import HTTPException

from gistapi.errors import (
    ByteQuotaError,
    CaptchaRequiredError,
    DeadlineError,
    ForbiddenError,
    GistapiError,
    GithubError,
    GithubRateLimitedError,
    GithubTimeoutError,
    InvalidCursorError,
    InvalidPatternError,
    OverloadedError,
    QueryError,
    RateLimitedError,
    UnauthorizedError,
    UserNotFoundError,
)
from gistapi.search.report import ErrorAnswer, ErrorCode, FieldError
from gistapi.web.protection import headers

_LOG = logging.getLogger(__name__)
_PROBLEM_JSON = "application/problem+json"


class InvalidRequestError(GistapiError):
    """The body is not what the contract asks for."""

    def __init__(self, message: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class ProblemDetails(TypedDict):
    """The same as https://www.rfc-editor.org/rfc/rfc9457 has it."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    instance: str
    code: ErrorCode
    message: str
    errors: NotRequired[list[FieldError]]
    request_id: str


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as a caller sees it."""

    status: int
    code: ErrorCode
    message: str
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, request_id: str) -> ErrorAnswer:
        """The contract's error shape."""
        shape: ErrorAnswer = {
            "status": "error",
            "code": self.code,
            "message": self.message,
            "request_id": request_id,
        }
        if self.errors:
            shape["errors"] = list(self.errors)
        return shape

    def problem_details(self, request_id: str) -> ProblemDetails:
        """The same facts as problem details."""
        return {
            **self.body(request_id),
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.message,
            "instance": quote(request.path),
        }


_STATUS: dict[type[GistapiError], tuple[int, ErrorCode]] = {
    InvalidRequestError: (400, "invalid_request"),
    InvalidCursorError: (400, "invalid_cursor"),
    QueryError: (400, "invalid_request"),
    UserNotFoundError: (404, "user_not_found"),
    UnauthorizedError: (401, "unauthorized"),
    ForbiddenError: (403, "forbidden"),
    CaptchaRequiredError: (403, "captcha_required"),
    RateLimitedError: (429, "rate_limited"),
    ByteQuotaError: (429, "byte_quota_exceeded"),
    GithubRateLimitedError: (503, "github_rate_limited"),
    OverloadedError: (503, "overloaded"),
    GithubTimeoutError: (504, "github_timeout"),
    DeadlineError: (504, "github_timeout"),
    GithubError: (502, "github_error"),
}
_HTTP: dict[int, tuple[ErrorCode, str]] = {
    400: ("invalid_request", "The request is not valid HTTP."),
    404: ("not_found", "There is nothing at this path."),
    405: ("method_not_allowed", "This path does not answer this method; see Allow."),
    413: ("request_too_large", "The body is larger than 64 KiB."),
    415: ("unsupported_media_type", "The body has to be sent as application/json."),
}


def problem_of(error: Exception, request_id: str) -> Problem:
    """What a caller is told of this error; an unforeseen one is logged and told as 500."""
    if isinstance(error, InvalidPatternError):
        return _invalid_pattern(error)
    for kind, (status, code) in _STATUS.items():
        if isinstance(error, kind):
            errors = error.errors if isinstance(error, InvalidRequestError) else ()
            return Problem(status, code, _sentence(str(error)), errors, _headers(error))
    if isinstance(error, HTTPException) and error.code in _HTTP:
        allow = {name: value for name, value in error.get_headers() if name == "Allow"}
        return Problem(error.code, *_HTTP[error.code], headers=allow)
    _LOG.error("request %s failed", request_id, exc_info=error)
    return Problem(500, "internal_error", "A fault of this service; its log names this request.")


def answer(error: Exception) -> Response:
    """The error as an HTTP answer, in the shape that `Accept` names."""
    problem = problem_of(error, request_id := headers.request_id())
    g.error_code = problem.code
    if headers.named(_PROBLEM_JSON):
        body, mimetype = json.dumps(problem.problem_details(request_id)), _PROBLEM_JSON
    else:
        body, mimetype = json.dumps(problem.body(request_id)), "application/json"
    return Response(body, problem.status, problem.headers, mimetype=mimetype)


def init_app(app: Flask) -> None:
    """Answer every error of this app, Flask's own too, in the one shape."""
    app.register_error_handler(Exception, answer)


def _invalid_pattern(error: InvalidPatternError) -> Problem:
    found: FieldError = {"field": "pattern", "message": error.reason}
    # What Python's parser refuses has a position; what we refuse may be a regular expression.
    fault = "can't be searched"
    if error.position is not None:
        found["position"] = error.position
        fault = "is not a regular expression"
    return Problem(400, "invalid_pattern", _sentence(f"The pattern {fault}: {error}"), (found,))


def _headers(error: GistapiError) -> dict[str, str]:
    if isinstance(error, UnauthorizedError):
        return {"WWW-Authenticate": 'Bearer realm="gistapi"'}
    if isinstance(
        error, ByteQuotaError | GithubRateLimitedError | OverloadedError | RateLimitedError
    ):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_seconds)))}
    return {}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
