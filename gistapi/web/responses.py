"""Answers as JSON, and the shapes that `Accept` can name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeGuard

from flask import Response, request

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
ATOM = "application/atom+xml"
HTML = "text/html"
PROBLEM_JSON = "application/problem+json"
PART_BYTES = 64 * 1024


def json_line(value: object) -> bytes:
    """The value as one line of JSON, ended by a newline."""
    return json.dumps(value).encode() + b"\n"


def json_parts(value: object) -> Iterator[bytes]:
    """The line of `json_line` in parts of about PART_BYTES, each made when it is sent."""
    part = bytearray()
    for piece in _pieces(value):
        part += piece
        if len(part) >= PART_BYTES:
            yield bytes(part)
            part.clear()
    yield bytes(part) + b"\n"


def _pieces(value: object) -> Iterator[bytes]:
    """The value's JSON: lists of objects are split into their objects, at any depth.

    A call of `json.dumps` lets no other thread run until it ends.
    """
    if _has_objects(value):
        yield b"["
        for number, item in enumerate(value):
            if number:
                yield b", "
            yield from _pieces(item)
        yield b"]"
    elif isinstance(value, dict) and _nests(value):
        for number, (name, field) in enumerate(value.items()):
            yield f"{', ' if number else '{'}{json.dumps(name)}: ".encode()
            yield from _pieces(field)
        yield b"}"
    else:
        yield json.dumps(value).encode()


def _has_objects(value: object) -> TypeGuard[Sequence[object]]:
    """Whether a value is a list of objects, or makes them when they are read."""
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], dict)
    return isinstance(value, Sequence) and not isinstance(value, str)


def _nests(value: object) -> bool:
    """Whether a list of objects lies in an object, or in one of its objects."""
    if isinstance(value, dict):
        return any(map(_nests, value.values()))
    return _has_objects(value)


def json_response(
    value: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    mimetype: str = JSON,
) -> Response:
    """An answer whose body is the value as JSON."""
    return Response(json_line(value), status, headers, mimetype=mimetype)


def named(media_type: str) -> bool:
    """Whether `Accept` names this type without a wildcard, and does not prefer plain JSON."""
    qualities = dict(request.accept_mimetypes)
    quality = qualities.get(media_type, 0)
    return quality > 0 and quality >= qualities.get(JSON, 0)
