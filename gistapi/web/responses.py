"""Answers as HTTP sends them: JSON, and which shape `Accept` names."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flask import Response, request

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
ATOM = "application/atom+xml"
HTML = "text/html"
PROBLEM_JSON = "application/problem+json"


def json_line(value: object) -> bytes:
    """The value as one line of JSON, ended by a newline."""
    return json.dumps(value).encode() + b"\n"


def json_response(
    value: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    mimetype: str = JSON,
) -> Response:
    """An answer whose body is the value as JSON."""
    return Response(json_line(value), status, headers, mimetype=mimetype)


def named(media_type: str) -> bool:
    """Whether `Accept` names this type, not by a wildcard, and prefers plain JSON no more."""
    qualities = dict(request.accept_mimetypes)
    quality = qualities.get(media_type, 0)
    return quality > 0 and quality >= qualities.get(JSON, 0)
