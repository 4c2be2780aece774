"""The answer as CSV (RFC 4180): one row for each place where a gist matched."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Response

from gistapi.search.report import SearchAnswer
from gistapi.web.responses import CSV, PART_BYTES

COLUMNS = (
    *("gist", "owner", "description", "updated_at", "file", "language"),
    *("line", "column", "text", "url"),
)
# A cell that begins so is a formula to spreadsheets, and the text is untrusted:
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def response(answer: SearchAnswer) -> Response:
    """The answer as CSV, with the rest in header fields.

    `Search-Status` is the answer's `status`, `Search-Incomplete` the number of entries in
    `incomplete`, `Search-Next` the cursor of the rest, if there is one.
    """
    result = Response(_parts(answer), mimetype=CSV)
    result.headers["Search-Status"] = answer["status"]
    result.headers["Search-Incomplete"] = str(len(answer.get("incomplete", ())))
    if "next" in answer:
        result.headers["Search-Next"] = answer["next"]
    return result


def _parts(answer: SearchAnswer) -> Iterator[str]:
    """The table, each part made when it is sent."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    for detail in answer.get("details", ()):
        for row in _rows(detail):
            writer.writerow(row)
            if text.tell() >= PART_BYTES:
                yield text.getvalue()
                text.seek(0)
                text.truncate()
    yield text.getvalue()


def _rows(detail: Mapping[str, Any]) -> Iterator[dict[str, object]]:
    for file in detail.get("files", (detail,)):
        for hit in file.get("matches", (file,)):
            yield {name: _cell(value) for name, value in {**detail, **file, **hit}.items()}


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
