"""Encoding answers as JSON."""

from __future__ import annotations

from gistapi.web.responses import PART_BYTES, json_line, json_parts


def test_an_answer_in_parts_is_the_same_json() -> None:
    """This holds for any value; no part is much larger than the largest value in it."""
    hits: list[dict[str, object]] = [
        {"text": "\U0001f600" * 300, "before": [], "url": None},
        {},
    ] * 100
    value = {"status": "success", "details": [{"files": [{"matches": hits}, {"matches": []}]}]}
    parts = list(json_parts(value))
    assert b"".join(parts) == json_line(value)
    assert max(map(len, parts)) < PART_BYTES + 12 * 300 + 100
    assert b"".join(json_parts({})) == json_line({})
