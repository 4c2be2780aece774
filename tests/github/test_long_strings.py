"""Removing long strings from JSON."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gistapi.github.long_strings import ShortStrings

MOST = 12

texts = st.text(max_size=30) | st.sampled_from(['"' * 5, "\\" * 6, "\\" * 7, "\n" * 9, "\ud800é"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def shortened(value: object, *, ascii_only: bool) -> object:
    """The value, with strings of more than MOST bytes replaced by empty ones."""
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        return value if len(text) - 2 <= MOST else ""
    if isinstance(value, list):
        return [shortened(item, ascii_only=ascii_only) for item in value]
    if isinstance(value, dict):
        return {
            shortened(key, ascii_only=ascii_only): shortened(item, ascii_only=ascii_only)
            for key, item in value.items()
        }
    return value


@given(values, st.lists(st.integers(0, 200)), st.booleans())
def test_only_long_strings_are_removed(value: object, cuts: list[int], ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    """However the body is split, every other value is preserved, escapes included."""
    body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    strings = ShortStrings(MOST)
    bounds = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    pieces = [strings.feed(body[a:b]) for a, b in pairwise(bounds)]
    passed = b"".join(pieces).decode("utf-8", "surrogatepass")
    assert json.loads(passed) == shortened(value, ascii_only=ascii_only)


@given(st.lists(st.binary(max_size=40)))
def test_invalid_json_is_passed_through(chunks: list[bytes]) -> None:
    """The output is no longer than the input, and nothing is raised."""
    strings = ShortStrings(MOST)
    passed = b"".join(strings.feed(chunk) for chunk in chunks)
    assert len(passed) <= sum(map(len, chunks))


@pytest.mark.parametrize("content", ["x" * 2**20, "\n" * 2**19, '"' * 2**19])
def test_a_content_takes_no_memory(content: str) -> None:
    """A string of a megabyte is never held in memory."""
    body = json.dumps({"a": content, "b": 1}).encode()
    strings = ShortStrings(100)
    passed = bytearray()
    for start in range(0, len(body), 65536):
        passed += strings.feed(body[start : start + 65536])
        assert len(passed) < 200
    assert json.loads(passed) == {"a": "", "b": 1}
