"""Answers as JSON, and the shapes that `Accept` can name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from flask import Response, request

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
ATOM = "application/atom+xml"
HTML = "text/html"
PROBLEM_JSON = "application/problem+json"
PART_BYTES = 64 * 1024
MANY_OBJECTS = 32
"""From here on a value is made into text part by part: 1,000 matches with context take 100 ms."""
RUN_OBJECTS = 16
"""Made into text by one call: at most 60 KB."""


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
    """The value's JSON: what holds many objects is split into them, at any depth.

    A call of `json.dumps` lets no other thread run until it ends; one for each object would take
    several times as long as all of them.
    """
    if _objects(value) < MANY_OBJECTS:
        yield json.dumps(value).encode()
    elif isinstance(value, dict):
        for number, (name, field) in enumerate(value.items()):
            yield f"{', ' if number else '{'}{json.dumps(name)}: ".encode()
            yield from _pieces(field)
        yield b"}"
    elif isinstance(value, Sequence):
        yield b"["
        for number, run in enumerate(_runs(value)):
            if number:
                yield b", "
            if len(run) == 1:
                yield from _pieces(run[0])
            else:
                yield json.dumps(run)[1:-1].encode()
        yield b"]"


def _runs(items: Iterable[object]) -> Iterator[list[object]]:
    """The items in runs of up to RUN_OBJECTS; one that holds as many by itself is alone."""
    run: list[object] = []
    left = RUN_OBJECTS
    for item in items:
        count = max(1, _objects(item))
        if run and count > left:
            yield run
            run, left = [], RUN_OBJECTS
        run.append(item)
        left -= count
        if left <= 0:
            yield run
            run, left = [], RUN_OBJECTS
    if run:
        yield run


def _objects(value: object) -> int:
    """How many objects and listed texts a value holds, not counted beyond MANY_OBJECTS.

    MANY_OBJECTS if it makes them when they are read.
    """
    if isinstance(value, dict):
        return _sum(1, value.values())
    if isinstance(value, list):
        has_objects = value and isinstance(value[0], dict)
        return _sum(0, value) if has_objects else min(len(value), MANY_OBJECTS)
    return MANY_OBJECTS if isinstance(value, Sequence) and not isinstance(value, str) else 0


def _sum(count: int, values: Iterable[object]) -> int:
    for value in values:
        count += _objects(value)
        if count >= MANY_OBJECTS:
            return MANY_OBJECTS
    return count


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
