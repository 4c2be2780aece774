"""Cursors: encoding, validation, and the position that they mark."""

from __future__ import annotations

import base64
import json
import random
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gistapi.errors import InvalidCursorError
from gistapi.models import Flags, Query
from gistapi.search import cursor as cursors
from gistapi.search.cursor import MAX_MARKS, MAX_OWED, Cursor, Place
from tests.search.test_reorder import gist_of

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
QUERY = Query("octocat", "import")
IDS = st.text("0123456789abcdef", min_size=1, max_size=32)
TIMES = st.datetimes(timezones=st.just(UTC))
PLACES = st.builds(Place, st.integers(0, 1100), st.text("abc-", max_size=39))
CURSORS = st.builds(
    Cursor,
    place=PLACES,
    before=st.none() | TIMES,
    marks=st.frozensets(st.text("0123456789abcdef", min_size=8, max_size=8), max_size=5),
    anchors=st.lists(IDS, max_size=8).map(tuple),
    owed=st.frozensets(IDS, max_size=64),
    floor=PLACES,
    tried=st.none() | IDS,
    tries=st.integers(0, 3),
)


def fields_of(text: str) -> dict[str, object]:
    """The fields that a cursor carries."""
    packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    fields: dict[str, object] = json.loads(zlib.decompress(packed))
    return fields


def text_of(fields: object) -> str:
    """Encode fields as a cursor."""
    packed = zlib.compress(json.dumps(fields).encode())
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


@given(cursor=CURSORS)
def test_a_cursor_survives_encoding(cursor: Cursor) -> None:
    """It is encoded and decoded for one query."""
    text = cursors.encode(cursor, QUERY)
    assert text.isascii()
    assert text.replace("-", "").replace("_", "").isalnum()
    assert cursors.decode(replace(QUERY, cursor=text)) == cursor


def test_no_cursor_is_the_beginning() -> None:
    """A query without a cursor starts at the beginning of the listing."""
    assert cursors.decode(QUERY) == Cursor()
    assert not Cursor().covers(Place(), gist_of(1, 0))


@pytest.mark.parametrize("ties", [1, MAX_MARKS, MAX_MARKS + 1, 3000])
def test_a_cursor_is_small_for_any_listing(ties: int) -> None:
    """It may have any number of gists in one second, the most owed ids and the longest names."""
    draw = random.Random(ties)  # GitHub's ids are random: they do not compress
    owed = [f"{draw.getrandbits(128):032x}" for _ in range(MAX_OWED)]
    place, floor = (Place(99, f"{draw.getrandbits(156):039x}") for _ in range(2))
    cursor = Cursor(place, owed=frozenset(owed), floor=floor, tried=owed[0], tries=1)
    for _ in range(ties):
        cursor = cursor.after(place, gist_of(draw.getrandbits(128), 1))
    text = cursors.encode(cursor, QUERY)
    assert len(text) < cursors.MAX_CHARACTERS
    assert cursors.decode(replace(QUERY, cursor=text)) == cursor


@pytest.mark.parametrize(
    "other",
    [
        replace(QUERY, pattern="export"),
        replace(QUERY, username="hubot"),
        replace(QUERY, usernames=("hubot",)),
        replace(QUERY, organization="github"),
        replace(QUERY, gists=("aa5a315d61ae9438b18d",)),
        replace(QUERY, mine=True),
        replace(QUERY, starred=True),
        replace(QUERY, names=True),
        replace(QUERY, flags=Flags(ignore_case=True)),
        replace(QUERY, files=("*.py",)),
        replace(QUERY, languages=("Python",)),
        replace(QUERY, updated_since=NOON),
        replace(QUERY, updated_until=NOON),
    ],
)
def test_a_cursor_belongs_to_its_query(other: Query) -> None:
    """Nothing that affects which gists match may change."""
    text = cursors.encode(Cursor(before=NOON), QUERY)
    with pytest.raises(InvalidCursorError, match="another query"):
        cursors.decode(replace(other, cursor=text))


BEFORE_AN_UPGRADE = (
    "eNpFjMEKwjAQRP9lrrawTduo-Q5v4iFJNyjGRleriPjvrvYgDAvDvjcv-DHui1zhtrsKgVMRhoMh09XU"
    "19RsGuOINIvfRYWUSxHlqQLUOXk5qg79lAcP89A5-8h_5jKxPJVZ2tjZllcphHU_2Fadmxy-0jjlPBfd"
    "UusOZ94fgf0sIQ"
)
"""A cursor that this version encoded for QUERY."""


def test_a_cursor_of_an_older_release_is_accepted() -> None:
    """When a query gets new fields, earlier cursors still work."""
    before = replace(QUERY, cursor=BEFORE_AN_UPGRADE)
    assert cursors.decode(before) == Cursor(before=NOON)


def test_fields_that_do_not_affect_matches_may_change() -> None:
    """Limit, details, counts, context and the case of the login may differ."""
    text = cursors.encode(Cursor(before=NOON), QUERY)
    asked = replace(
        QUERY, username="OctoCat", limit=3, details=True, max_count=2, context=1, cursor=text
    )
    assert cursors.decode(asked) == Cursor(before=NOON)


def test_a_cursor_of_another_version_says_so() -> None:
    """The message names the remedy."""
    fields = fields_of(cursors.encode(Cursor(), QUERY))
    with pytest.raises(InvalidCursorError, match="another version"):
        cursors.decode(replace(QUERY, cursor=text_of({**fields, "v": 3})))


@pytest.mark.parametrize(
    "change",
    [
        {"place": None},
        {"place": [-1, ""]},
        {"place": [0, 1]},
        {"before": 5},
        {"before": "yesterday"},
        {"before": "0001-01-01T00:00:00+23:00"},
        {"marks": 7},
        {"marks": "é"},
        {"anchors": {}},
        {"anchors": ["a"] * 9},
        {"owed": "abc"},
        {"owed": [1]},
        {"owed": ["a"] * (MAX_OWED + 1)},
        {"floor": [0]},
        {"tried": 5},
        {"tries": "1"},
        {"tries": 99},
    ],
)
def test_a_forged_field_is_refused(change: dict[str, object]) -> None:
    """Each field is checked for type and range."""
    fields = fields_of(cursors.encode(Cursor(), QUERY))
    with pytest.raises(InvalidCursorError, match="not one that this service issued"):
        cursors.decode(replace(QUERY, cursor=text_of({**fields, **change})))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "é",
        "!",
        "AAAA",
        text_of(None),
        text_of([]),
        text_of({}),
        base64.urlsafe_b64encode(zlib.compress(b"[" * 60_000)).decode(),
        base64.urlsafe_b64encode(zlib.compress(b" " * 10_000_000)).decode(),
        "A" * 70_000,
    ],
)
def test_an_invalid_cursor_is_refused(text: str) -> None:
    """Every other text causes the same clear error."""
    with pytest.raises(InvalidCursorError, match="not one that this service issued"):
        cursors.decode(replace(QUERY, cursor=text))


@given(text=st.text(max_size=80))
def test_any_text_is_refused(text: str) -> None:
    """Random texts never cause another error."""
    with pytest.raises(InvalidCursorError):
        cursors.decode(replace(QUERY, cursor=text))


@given(times=st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_a_cursor_covers_the_gists_before_it(times: list[int]) -> None:
    """At any position, exactly the gists so far are covered, even within one second."""
    listing = [gist_of(number, second) for number, second in enumerate(sorted(times))]
    cursor = Cursor()
    for number, gist in enumerate(listing):
        cursor = cursor.after(Place(), gist)
        assert [cursor.covers(Place(), other) for other in listing] == [
            place <= number for place in range(len(listing))
        ]
        assert cursor.covers(Place(), gist_of(99, -1))


def test_a_gist_listed_late_does_not_move_the_cursor() -> None:
    """An older gist leaves the far end unchanged."""
    cursor = Cursor().after(Place(), gist_of(1, 1))
    assert cursor.after(Place(), gist_of(2, 0)) == cursor
    assert cursor.before == NOON - timedelta(seconds=1)
