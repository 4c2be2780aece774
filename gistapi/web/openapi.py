"""The description of the HTTP interface in OpenAPI 3.1, made from the types and tables it uses.

https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from pydantic import TypeAdapter

from gistapi.search.report import ErrorAnswer, Line, SearchAnswer
from gistapi.web import openapi_examples as examples
from gistapi.web.error_table import TABLE
from gistapi.web.openapi_errors import HEADERS, SCHEMA, error, header_refs, ref, search_errors
from gistapi.web.problems import ProblemDetails
from gistapi.web.responses import ATOM, CSV, JSON, NDJSON
from gistapi.web.schema import SearchRequest

# Where no key is required, none has to be sent.
_BY_KEY: list[dict[str, list[str]]] = [{}, {"bearer": []}, {"header": []}]
_OF_BODIES = {"request_too_large", "unsupported_media_type"}
_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}
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
_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key that the operator created: `Authorization: Bearer gak_…`",
    },
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "captcha": {"type": "apiKey", "in": "header", "name": "X-Captcha"},
    "githubToken": {
        "type": "apiKey",
        "in": "header",
        "name": "X-GitHub-Token",
        "description": "The caller's own GitHub token, where the operator accepts them.",
    },
}
_DESCRIPTION = (
    "A gist matches when `re.search(pattern, text)` would find a match in one of its files. With"
    " `Accept: application/x-ndjson` the answer is a stream: one JSON object a line, `begin`"
    " first, `end` or `error` last. Without `limit`, the matches of a stream come in the order in"
    " which they are found. With `Accept: text/csv` the answer is a table; its status, the number"
    " of things not searched and the cursor of the rest are the header fields `Search-Status`,"
    " `Search-Incomplete` and `Search-Next`."
)


def document() -> dict[str, Any]:
    """The whole description as a JSON value."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "gistapi",
            "summary": "Search GitHub users' gists by regular expression.",
            "description": "Every error has one shape, and every answer carries `X-Request-ID`.",
            "license": {"name": "MIT", "identifier": "MIT"},
            "version": version("gistgrep"),
        },
        "servers": [{"url": "/", "description": "This service."}],
        "tags": [{"name": "search"}, {"name": "operation"}],
        "paths": {
            "/api/v1/search": {"post": _search(), "get": _search_by_parameters()},
            "/api/v1/search.atom": {"get": _feed()},
        }
        | _operation(),
        "components": {
            "schemas": _schemas(),
            "headers": {
                name: {"description": words, "schema": {"type": "string"}}
                for name, words in HEADERS.items()
            },
            "securitySchemes": _SECURITY,
        },
    }


def _search() -> dict[str, Any]:
    body = {"schema": ref("SearchRequest"), "examples": examples.REQUESTS}
    return {
        "operationId": "search",
        "tags": ["search"],
        "summary": "Search gists",
        "description": f"{_DESCRIPTION} The method QUERY (RFC 10008) takes the same body.",
        "security": [*_BY_KEY, {"captcha": []}],
        "requestBody": {"required": True, "content": {JSON: body}},
        "responses": {"200": _found()} | search_errors(),
    }


def _search_by_parameters() -> dict[str, Any]:
    return {
        "operationId": "searchByParameters",
        "tags": ["search"],
        "summary": "Search gists by query parameters",
        "description": f"{_DESCRIPTION} Repeat a parameter to send a list.",
        "security": [*_BY_KEY, {"captcha": []}],
        "parameters": _parameters(),
        "responses": {"200": _found()} | search_errors(without=_OF_BODIES),
    }


def _feed() -> dict[str, Any]:
    feed = _answer("The feed; `If-None-Match` works.", ATOM, _TEXT, examples.FEED)
    return {
        "operationId": "feed",
        "tags": ["search"],
        "summary": "Search gists as an Atom feed",
        "description": "One entry for each gist that matches; a changed file is a new entry.",
        "security": [*_BY_KEY, {"captcha": []}],
        "parameters": _parameters(),
        "responses": {"200": feed, "304": {"description": "Nothing has changed."}}
        | search_errors(without=_OF_BODIES),
    }


def _parameters() -> list[dict[str, Any]]:
    schema = _schemas()["SearchRequest"]
    return [
        {
            "name": name,
            "in": "query",
            "description": found.get("description", ""),
            "required": name in schema["required"],
            "schema": {k: v for k, v in found.items() if k not in {"description", "title"}},
        }
        for name, found in schema["properties"].items()
    ]


def _found() -> dict[str, Any]:
    return {
        "description": "What was found; as a stream, sent as it is found.",
        "headers": header_refs("X-Request-ID", "RateLimit", "RateLimit-Policy"),
        "content": {
            JSON: {"schema": ref("SearchAnswer"), "examples": examples.ANSWERS},
            NDJSON: {
                # One object a line, described as an array, as OpenAPI 3.2 does for such a stream.
                "schema": {"type": "array", "items": ref("Line")},
                "examples": examples.STREAMS,
            },
            CSV: {"schema": {"type": "string"}, "examples": examples.TABLES},
        },
    }


def _operation() -> dict[str, Any]:
    alive = {"200": _answer("The body is exactly `pong`.", "text/plain", _TEXT, "pong")}
    description = {"200": _answer("OpenAPI 3.1.", JSON, _OBJECT)}
    verbose = {
        "name": "verbose",
        "in": "query",
        "description": "Whatever its value: include the `checks`.",
        "schema": {"type": "string"},
        "allowEmptyValue": True,
    }
    ready = {
        "200": _health("Searches are accepted; `warn` if something needs attention."),
        "503": _health("The service is starting or stopping."),
    }
    metrics = {
        "200": _answer(
            "Or OpenMetrics, when `Accept` asks for it.", "text/plain", _TEXT, "# HELP …"
        ),
        "401": error(401, [row for row in TABLE if row.code == "unauthorized"]),
    }
    challenge = "A challenge as https://altcha.org/docs/v2/proof-of-work/ defines it."
    captcha = {
        "200": _answer(challenge, JSON, _OBJECT),
        "404": {"description": "The service asks for no captcha.", "content": {JSON: {}}},
    }
    return {
        "/api/v1/captcha": {"get": _get("captcha", "Get a captcha's challenge", captcha)},
        "/ping": {"get": _get("ping", "Check that the service answers", alive)},
        "/livez": {"get": _get("livez", "Check liveness", {"200": _health("It is alive.")})},
        "/readyz": {"get": _get("readyz", "Check readiness", ready) | {"parameters": [verbose]}},
        "/metrics": {
            "get": _get("metrics", "Read the metrics, for Prometheus", metrics)
            | {"security": _BY_KEY}
        },
        "/openapi.json": {"get": _get("openapi", "Get this description", description)},
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
    return _answer(description, "application/health+json", _HEALTH)


def _answer(
    description: str, media_type: str, schema: dict[str, Any], example: str | None = None
) -> dict[str, Any]:
    content = {"schema": schema} | ({} if example is None else {"example": example})
    return {
        "description": description,
        "headers": header_refs("X-Request-ID"),
        "content": {media_type: content},
    }


def _schemas() -> dict[str, Any]:
    adapters: list[tuple[str, Any, TypeAdapter[Any]]] = [
        ("SearchRequest", "validation", TypeAdapter(SearchRequest)),
        ("SearchAnswer", "serialization", TypeAdapter(SearchAnswer)),
        ("Line", "serialization", TypeAdapter(Line)),
        ("ErrorAnswer", "serialization", TypeAdapter(ErrorAnswer)),
        ("ProblemDetails", "serialization", TypeAdapter(ProblemDetails)),
    ]
    found, definitions = TypeAdapter.json_schemas(adapters, ref_template=SCHEMA)
    schemas: dict[str, Any] = definitions["$defs"]
    schemas |= {name: found[name, mode] for name, mode, _ in adapters if name not in schemas}
    _discriminate(schemas)
    # TypeScript generators take a field with a default for one that is always present.
    for field in schemas["SearchRequest"]["properties"].values():
        field.pop("default", None)
    return schemas


def _discriminate(schemas: dict[str, Any]) -> None:
    """Declare `type` as the discriminator of a stream's lines, for generated clients."""
    line = schemas["Line"]
    lines = [choice["$ref"] for choice in line.pop("anyOf", None) or line.pop("oneOf")]
    kinds = {schemas[ref.rpartition("/")[2]]["properties"]["type"]["const"]: ref for ref in lines}
    line["oneOf"] = [{"$ref": ref} for ref in lines]
    line["discriminator"] = {"propertyName": "type", "mapping": kinds}
