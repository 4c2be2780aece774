"""Encoding answers as JSON."""

from __future__ import annotations

import json

import pytest

from gistapi.web.responses import PART_BYTES, RUN_OBJECTS, json_line, json_parts


def test_an_answer_in_parts_is_the_same_json() -> None:
    """This holds for any value; no part is much larger than a run of the largest values in it."""
    hits: list[dict[str, object]] = [
        {"text": "\U0001f600" * 300, "before": [], "url": None},
        {},
    ] * 100
    value = {"status": "success", "details": [{"files": [{"matches": hits}, {"matches": []}]}]}
    parts = list(json_parts(value))
    assert b"".join(parts) == json_line(value)
    assert max(map(len, parts)) < PART_BYTES + RUN_OBJECTS * (12 * 300 + 100)
    assert b"".join(json_parts({})) == json_line({})


def test_small_objects_become_text_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call for each object took seven times as long as all of them; none is for too many."""
    made: list[int] = []
    dumps = json.dumps

    def counting(value: object) -> str:
        made.append(len(value) if isinstance(value, list) else 1)
        return dumps(value)

    monkeypatch.setattr(json, "dumps", counting)
    hits: list[dict[str, object]] = [{"text": "a", "before": [], "after": []}] * 1000
    around: list[dict[str, object]] = [{"before": ["a"] * 10, "after": ["b"] * 10}] * 1000
    urls = ["https://gist.github.com/1"] * 1000
    for values, calls in ((hits, 80), (around, 1100), (urls, 80)):
        made.clear()
        assert (
            b"".join(json_parts({"values": values})) == (dumps({"values": values}) + "\n").encode()
        )
        assert len(made) < calls
        assert max(made) <= RUN_OBJECTS
