"""The errors in the interface's description, made from the table of errors."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from gistapi.web.error_table import HTTP_PROBLEMS, TABLE, ErrorRow
from gistapi.web.responses import JSON, PROBLEM_JSON

_ELSEWHERE = {"not_found", "method_not_allowed", "range_not_satisfiable"}
_SERVER = (408, 431)
SCHEMA = "#/components/schemas/{model}"
HEADERS = {
    "X-Request-ID": "The caller's, if it is 1 to 128 of `[A-Za-z0-9._-]`, else a random one.",
    "RateLimit": 'What is left of each limit and for how long, such as `"search";r=29;t=42`.',
    "RateLimit-Policy": 'The limits, such as `"search";q=30;w=60`: 30 requests in 60 seconds.',
    "Retry-After": "Seconds to wait.",
    "WWW-Authenticate": '`Bearer realm="gistapi"`',
}


def search_errors(without: set[str] | frozenset[str] = frozenset()) -> dict[str, Any]:
    """The errors of a search, by status."""
    rows: dict[int, list[ErrorRow]] = {}
    for row in TABLE:
        if row.code not in _ELSEWHERE | without:
            rows.setdefault(row.status, []).append(row)
    found = {str(status): error(status, same) for status, same in rows.items()}
    return found | {str(status): _server_error(status) for status in _SERVER}


def _server_error(status: int) -> dict[str, Any]:
    """An error that the HTTP server sends before the request reaches a path."""
    _, message = HTTP_PROBLEMS[status]
    return {"description": message, "content": {JSON: {"schema": ref("ErrorAnswer")}}}


def error(status: int, rows: list[ErrorRow]) -> dict[str, Any]:
    """The answers with one status; `rows` are those of the table that have it."""
    shapes: dict[str, Any] = {JSON: {}, PROBLEM_JSON: {}}
    for row in rows:
        words = f"{row.when[0].upper()}{row.when[1:]}."
        plain = {
            "status": "error",
            "code": row.code,
            "message": words,
            "request_id": "c9f5bb72e45d",
        }
        title = HTTPStatus(status).phrase
        problem = {"type": "about:blank", "title": title, "detail": words, "instance": "/api"}
        shapes[JSON][row.code] = {"value": plain}
        shapes[PROBLEM_JSON][row.code] = {"value": plain | problem | {"status": status}}
    schemas = {JSON: "ErrorAnswer", PROBLEM_JSON: "ProblemDetails"}
    names = dict.fromkeys(name for row in rows for name in row.headers if name in HEADERS)
    return {
        "description": " ".join(f"`{row.code}`: {row.when}." for row in rows),
        "headers": header_refs("X-Request-ID", *names),
        "content": {
            kind: {"schema": ref(schemas[kind]), "examples": found}
            for kind, found in shapes.items()
        },
    }


def ref(name: str) -> dict[str, str]:
    """A reference to a named schema."""
    return {"$ref": SCHEMA.format(model=name)}


def header_refs(*names: str) -> dict[str, Any]:
    """References to named header fields."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
