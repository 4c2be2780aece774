"""The description of the HTTP interface, as OpenAPI 3.1, from the types that it is built of.

https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic import TypeAdapter

from gistapi.search.report import ErrorAnswer, ErrorCode, Line, SearchAnswer
from gistapi.web import openapi_examples as examples
from gistapi.web.problems import ProblemDetails
from gistapi.web.schema import SearchRequest

JSON = "application/json"
_SCHEMA = "#/components/schemas/{model}"
# Where no key is required, none has to be sent.
_BY_KEY: list[dict[str, list[str]]] = [{}, {"bearer": []}, {"header": []}]
# draft-inadarei-api-health-check-06
_HEALTH = {
    "type": "object",
    "required": ["status"],
    "properties": {
        "status": {"enum": ["pass", "warn", "fail"]},
        "version": {"type": "string"},
        "output": {"type": "string"},
        "checks": {"type": "object"},
    },
}
_ERRORS: Mapping[int, Mapping[ErrorCode, str]] = {
    400: {
        "invalid_request": "The body is not what the contract asks for.",
        "invalid_pattern": "The pattern is no regular expression, or too costly a one.",
        "invalid_cursor": "The cursor is damaged, or another query's.",
    },
    401: {"unauthorized": "A key is required, and none or a wrong one came."},
    403: {
        "forbidden": "The address is not allowed.",
        "captcha_required": "A person without a key has to solve the captcha first.",
    },
    404: {"user_not_found": "GitHub knows no such user."},
    413: {"request_too_large": "The body is larger than 64 KiB."},
    415: {"unsupported_media_type": "The body is not sent as application/json."},
    429: {
        "rate_limited": "Too many requests.",
        "byte_quota_exceeded": "The caller's share of bytes from GitHub is used up.",
    },
    500: {"internal_error": "A fault of this service, logged with the request id."},
    502: {"github_error": "GitHub failed before anything could be searched."},
    503: {
        "github_rate_limited": "GitHub's budget is spent.",
        "overloaded": "Too many searches at once, or the service is stopping.",
    },
    504: {"github_timeout": "GitHub did not answer in time."},
}
_ERROR_HEADERS = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After", "RateLimit", "RateLimit-Policy"),
    503: ("Retry-After",),
}
_HEADERS = {
    "X-Request-ID": "The caller's, if it is 1 to 128 of `[A-Za-z0-9._-]`, else a new one.",
    "RateLimit": 'What is left of each limit and for how long, such as `"search";r=29;t=42`.',
    "RateLimit-Policy": 'The limits, such as `"search";q=30;w=60`: so many in so many seconds.',
    "Retry-After": "Seconds to wait.",
    "WWW-Authenticate": '`Bearer realm="gistapi"`',
}


def document() -> dict[str, Any]:
    """The whole description, as JSON has it."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "gistapi",
            "summary": "Which of a GitHub user's public gists match a regular expression?",
            "description": "Every error has one shape, and every answer carries `X-Request-ID`.",
            "license": {"name": "MIT", "identifier": "MIT"},
            "version": version("gistapi"),
        },
        "servers": [{"url": "/", "description": "This service."}],
        "tags": [{"name": "search"}, {"name": "operation"}],
        "paths": {"/api/v1/search": {"post": _search()}} | _operation(),
        "components": {
            "schemas": _schemas(),
            "headers": {
                name: {"description": words, "schema": {"type": "string"}}
                for name, words in _HEADERS.items()
            },
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key made by the operator: `Authorization: Bearer gak_…`",
                },
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "captcha": {"type": "apiKey", "in": "header", "name": "X-Captcha"},
            },
        },
    }


def _search() -> dict[str, Any]:
    found = {
        "description": "What was found; as a stream, sent as it is found.",
        "headers": _header_refs("X-Request-ID", "RateLimit", "RateLimit-Policy"),
        "content": {
            JSON: {"schema": _ref("SearchAnswer"), "examples": examples.ANSWERS},
            "application/x-ndjson": {
                # One object a line: as an array of them, as OpenAPI 3.2 sees such a stream.
                "schema": {"type": "array", "items": _ref("Line")},
                "examples": examples.STREAMS,
            },
        },
    }
    return {
        "operationId": "search",
        "tags": ["search"],
        "summary": "Search a user's public gists",
        "description": (
            "A gist matches when `re.search(pattern, text)` would find a match in one of its"
            " files. With `Accept: application/x-ndjson` the answer is a stream: one JSON object"
            " a line, `begin` first, `end` or `error` last. Without `limit`, the stream's matches"
            " come in the order in which they are found."
        ),
        "security": [*_BY_KEY, {"captcha": []}],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": _ref("SearchRequest"),
                    "examples": examples.REQUESTS,
                }
            },
        },
        "responses": {"200": found} | {str(status): _error(status) for status in _ERRORS},
    }


def _operation() -> dict[str, Any]:
    alive = {"200": _text("The body is exactly `pong`.", "text/plain", "pong")}
    description = {
        "200": {
            "description": "OpenAPI 3.1.",
            "headers": _header_refs("X-Request-ID"),
            "content": {JSON: {"schema": {"type": "object"}}},
        }
    }
    verbose = {
        "name": "verbose",
        "in": "query",
        "description": "Whatever its value: tell the `checks`, too.",
        "schema": {"type": "string"},
        "allowEmptyValue": True,
    }
    ready = {
        "200": _health("Searches are welcome; `warn` says that something needs a look."),
        "503": _health("The service is starting or stopping."),
    }
    metrics = {
        "200": _text("Or OpenMetrics, when `Accept` asks for it.", "text/plain", "# HELP …"),
        "401": _error(401),
    }
    captcha = {
        "200": {
            "description": "A challenge as https://altcha.org/docs/v2/proof-of-work/ has it.",
            "headers": _header_refs("X-Request-ID"),
            "content": {JSON: {"schema": {"type": "object"}}},
        },
        "404": {"description": "No captcha is asked for.", "content": {JSON: {}}},
    }
    return {
        "/api/v1/captcha": {"get": _get("captcha", "Work to do before a search", captcha)},
        "/ping": {"get": _get("ping", "Is it there?", alive)},
        "/livez": {"get": _get("livez", "Is it alive?", {"200": _health("It is.")})},
        "/readyz": {"get": _get("readyz", "Is it ready?", ready) | {"parameters": [verbose]}},
        "/metrics": {
            "get": _get("metrics", "What is counted, for Prometheus", metrics)
            | {"security": _BY_KEY}
        },
        "/openapi.json": {"get": _get("openapi", "This description", description)},
    }


def _get(name: str, summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "tags": ["operation"],
        "summary": summary,
        "security": [],
        "responses": responses,
    }


def _health(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "headers": _header_refs("X-Request-ID"),
        "content": {"application/health+json": {"schema": _HEALTH}},
    }


def _text(description: str, media_type: str, example: str) -> dict[str, Any]:
    return {
        "description": description,
        "headers": _header_refs("X-Request-ID"),
        "content": {media_type: {"schema": {"type": "string"}, "example": example}},
    }


def _error(status: int) -> dict[str, Any]:
    codes = _ERRORS[status]
    shapes: dict[str, Any] = {JSON: {}, "application/problem+json": {}}
    for code, words in codes.items():
        error = {"status": "error", "code": code, "message": words, "request_id": "c9f5bb72e45d"}
        title = HTTPStatus(status).phrase
        problem = {"type": "about:blank", "title": title, "detail": words, "instance": "/api"}
        shapes[JSON][code] = {"value": error}
        shapes["application/problem+json"][code] = {"value": error | problem | {"status": status}}
    schemas = {JSON: "ErrorAnswer", "application/problem+json": "ProblemDetails"}
    return {
        "description": " ".join(f"`{code}`: {words}" for code, words in codes.items()),
        "headers": _header_refs("X-Request-ID", *_ERROR_HEADERS.get(status, ())),
        "content": {
            kind: {"schema": _ref(schemas[kind]), "examples": examples}
            for kind, examples in shapes.items()
        },
    }


def _schemas() -> dict[str, Any]:
    adapters: list[tuple[str, Any, TypeAdapter[Any]]] = [
        ("SearchRequest", "validation", TypeAdapter(SearchRequest)),
        ("SearchAnswer", "serialization", TypeAdapter(SearchAnswer)),
        ("Line", "serialization", TypeAdapter(Line)),
        ("ErrorAnswer", "serialization", TypeAdapter(ErrorAnswer)),
        ("ProblemDetails", "serialization", TypeAdapter(ProblemDetails)),
    ]
    found, definitions = TypeAdapter.json_schemas(adapters, ref_template=_SCHEMA)
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas | {name: found[name, mode] for name, mode, _ in adapters if name not in schemas}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _SCHEMA.format(model=name)}


def _header_refs(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
