"""Cursors: what they remember, and what they refuse."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gistapi.errors import InvalidCursorError
from gistapi.models import Flags, Query
from gistapi.search import cursor as cursors
from gistapi.search.cursor import Cursor

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
QUERY = Query("octocat", "import")
IDS = st.frozensets(st.text("0123456789abcdef", min_size=1, max_size=32), max_size=5)
TIMES = st.datetimes(timezones=st.just(UTC))


def text_of(parts: object) -> str:
    """Parts packed as a cursor is."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()


@given(before=st.none() | TIMES, done=IDS, sent=IDS)
def test_a_cursor_comes_back_as_it_was(
    before: datetime | None, done: frozenset[str], sent: frozenset[str]
) -> None:
    """What is encoded for a query is decoded for it."""
    cursor = Cursor(before, done, sent)
    text = cursors.encode(cursor, QUERY)
    assert text.isascii()
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert cursors.decode(replace(QUERY, cursor=text)) == cursor


def test_no_cursor_is_the_beginning() -> None:
    """A query without a cursor starts where nothing has been passed."""
    assert cursors.decode(QUERY) == Cursor()
    assert not Cursor().passed("1", NOON)


@pytest.mark.parametrize(
    "other",
    [
        replace(QUERY, pattern="export"),
        replace(QUERY, username="hubot"),
        replace(QUERY, flags=Flags(ignore_case=True)),
        replace(QUERY, files=("*.py",)),
        replace(QUERY, languages=("Python",)),
        replace(QUERY, updated_since=NOON),
        replace(QUERY, updated_until=NOON),
    ],
)
def test_a_cursor_belongs_to_its_query(other: Query) -> None:
    """Whatever decides what matches may not change."""
    text = cursors.encode(Cursor(NOON), QUERY)
    with pytest.raises(InvalidCursorError, match="another query"):
        cursors.decode(replace(other, cursor=text))


def test_limit_and_the_case_of_the_login_may_change() -> None:
    """They change nothing in what matches."""
    text = cursors.encode(Cursor(NOON), QUERY)
    asked = replace(QUERY, username="OctoCat", limit=3, cursor=text)
    assert cursors.decode(asked) == Cursor(NOON)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "é",
        "!",
        "AAAA",
        "W10",
        text_of(None),
        text_of([1, 2, 3]),
        text_of({"a": 1}),
        text_of(["x", 5, [], []]),
        text_of(["x", "yesterday", [], []]),
        text_of(["x", None, "abc", []]),
        text_of(["x", None, [1], []]),
        text_of(["x", None, [], {}]),
        text_of(["x", None, [], ["a"] * 1001]),
        text_of(["x", "0001-01-01T00:00:00+23:00", [], []]),
        base64.urlsafe_b64encode(b"[" * 60_000).decode(),
        "A" * 70_000,
    ],
)
def test_what_we_did_not_write_is_refused(text: str) -> None:
    """Anything else is one clear error."""
    with pytest.raises(InvalidCursorError, match="not one that this service gave out"):
        cursors.decode(replace(QUERY, cursor=text))


@given(text=st.text(max_size=80))
def test_no_text_does_anything_but_be_refused(text: str) -> None:
    """Random texts never crash."""
    with pytest.raises(InvalidCursorError):
        cursors.decode(replace(QUERY, cursor=text))


@given(times=st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_what_a_cursor_has_passed_is_what_came_before(times: list[int]) -> None:
    """Going through a listing, exactly the gists so far are passed, also within one second."""
    listing = [
        (str(place), NOON - timedelta(seconds=second)) for place, second in enumerate(sorted(times))
    ]
    cursor = Cursor(sent=frozenset({listing[-1][0]}))
    for place, (gist_id, created_at) in enumerate(listing):
        cursor = cursor.after(gist_id, created_at)
        assert [cursor.passed(*gist) for gist in listing] == [
            other <= place for other in range(len(listing))
        ]
    assert not cursor.sent


def test_a_gist_that_is_listed_late_moves_nothing() -> None:
    """One from before the place leaves the place as it is."""
    cursor = Cursor(NOON, frozenset({"1"}))
    assert cursor.after("2", NOON + timedelta(seconds=1)) == cursor
