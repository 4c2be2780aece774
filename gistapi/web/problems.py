"""Errors as HTTP answers, in each shape in which they are sent."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, NotRequired
from urllib.parse import quote

from flask import Flask, Response, g, request
from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on only
from werkzeug.exceptions import HTTPException

from gistapi import errors
from gistapi.search.report import ErrorAnswer, ErrorCode, FieldError
from gistapi.web.causes import log_causes
from gistapi.web.error_table import HTTP_PROBLEMS, INTERNAL, ROWS, InvalidRequestError
from gistapi.web.protection.headers import request_id
from gistapi.web.responses import HTML, PROBLEM_JSON, json_response, named

_LOG = logging.getLogger(__name__)


CLIENT_LEFT = 499
"""The status, in the log and the metrics only, of a request whose client disconnected (nginx's)."""

_KEPT_HEADERS = {"Allow", "Content-Range", "Accept-Query"}
_NOT_FOUND_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Not found</title>'
    '<h1>Not found</h1><p>There is nothing at this address.</p><p><a href="/">Search gists</a></p>'
    "</html>\n"
)


class ProblemDetails(TypedDict):
    """The same facts, as named by https://www.rfc-editor.org/rfc/rfc9457."""

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


def problem_of(error: Exception, request_id: str) -> Problem:
    """The answer to an error. One without a row is logged and answered 500.

    Its traceback is dropped: its frames have the error, and with them all that the search had would
    be left to the garbage collector, which lets no other thread run.
    """
    try:
        return _problem_of(error, request_id)
    finally:
        error.__traceback__ = None


def _problem_of(error: Exception, request_id: str) -> Problem:
    if isinstance(error, errors.InvalidPatternError):
        return _invalid_pattern(error)
    if isinstance(error, HTTPException) and error.code is not None:
        return _http_problem(error, error.code)
    for kind in type(error).__mro__:
        if kind in ROWS:
            row = ROWS[kind]
            if isinstance(error, errors.GithubError | errors.DeadlineError):
                log_causes(error, row.code)
            message = _sentence(str(error))
            return Problem(row.status, row.code, message, _fields(error), _headers(error))
    _LOG.error("request %s failed", request_id, exc_info=error)
    return Problem(INTERNAL.status, *HTTP_PROBLEMS[INTERNAL.status])


def answer(error: Exception) -> Response:
    """The error as an HTTP answer, in the shape that `Accept` names."""
    if isinstance(error, errors.CancelledError):
        return Response(status=CLIENT_LEFT)
    problem = problem_of(error, request_id())
    g.error_code = problem.code
    if named(PROBLEM_JSON):
        details = problem.problem_details(request_id())
        return json_response(details, problem.status, problem.headers, PROBLEM_JSON)
    if problem.code == "not_found" and named(HTML) and not request.path.startswith("/api"):
        return Response(_NOT_FOUND_PAGE, problem.status, mimetype=HTML)
    return json_response(problem.body(request_id()), problem.status, problem.headers)


def init_app(app: Flask) -> None:
    """Answer every error of this app, Flask's own too, in the one shape."""
    app.register_error_handler(Exception, answer)


def explain(error: Exception) -> tuple[str, str]:
    """The code and message of an error that ends one target of a search."""
    problem = problem_of(error, "")
    return problem.code, problem.message


def _fields(error: Exception) -> tuple[FieldError, ...]:
    if isinstance(error, errors.InvalidGlobError):
        return ({"field": "files", "message": str(error)},)
    return error.errors if isinstance(error, InvalidRequestError) else ()


def _http_problem(error: HTTPException, status: int) -> Problem:
    """An error of the framework. A redirect would be HTML, and lead to the sent `Host`: 404."""
    if status < HTTPStatus.BAD_REQUEST:
        status = HTTPStatus.NOT_FOUND.value
    if status not in HTTP_PROBLEMS:
        client = status < HTTPStatus.INTERNAL_SERVER_ERROR
        status = status if client else HTTPStatus.INTERNAL_SERVER_ERROR.value
        if client:
            return Problem(status, "invalid_request", f"{HTTPStatus(status).phrase}.")
    code, message = HTTP_PROBLEMS[status]
    kept = {name: value for name, value in error.get_headers() if name in _KEPT_HEADERS}
    if "Allow" in kept:
        message = f"{request.method} is not supported here. Use {kept['Allow']}."
    return Problem(status, code, message, headers=kept)


def _invalid_pattern(error: errors.InvalidPatternError) -> Problem:
    found: FieldError = {"field": "pattern", "message": error.reason}
    # Python's parser names a position; a pattern that we refuse may be a regular expression.
    fault = "cannot be searched"
    if error.position is not None:
        found["position"] = error.position
        fault = "is not a regular expression"
    row = ROWS[errors.InvalidPatternError]
    return Problem(
        row.status, row.code, _sentence(f"The pattern {fault}: {error}"), (found,), _headers(error)
    )


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, errors.UnauthorizedError):
        return {"WWW-Authenticate": 'Bearer realm="gistapi"'}
    seconds = getattr(error, "retry_after_seconds", None)
    return {} if seconds is None else {"Retry-After": str(max(1, math.ceil(seconds)))}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
