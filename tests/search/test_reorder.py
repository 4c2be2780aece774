"""The order of answers: always a prefix, each gist once, always further."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gistapi.models import Gist, GistFile, Hit, Incomplete, Match
from gistapi.search.cursor import Cursor
from gistapi.search.reorder import LOOK_AHEAD, TOGETHER, Order, Slot

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
FILE = GistFile("a", None, None, None, None)


def gist_of(place: int, second: int | None = None) -> Gist:
    """A gist that is `second` seconds old."""
    at = NOON - timedelta(seconds=place if second is None else second)
    return Gist(
        str(place),
        f"https://gist.github.com/{place}",
        None,
        at,
        at,
        (),
        truncated=False,
        git_pull_url=None,
    )


def match_of(slot: Slot) -> Match:
    """Its match."""
    return Match(slot.gist, FILE, Hit(1, 1, ""))


def gap_of(slot: Slot) -> Incomplete:
    """Its gap."""
    return Incomplete(slot.gist.html_url, "a", "file_unavailable", "")


def answered(
    order: Order, gists: list[Gist], matching: set[str], decisions: int, seed: int
) -> list[str]:
    """Add all gists, then decide so many of them in a random order; the ids that were told."""
    draw = random.Random(seed)
    for gist in gists:
        order.add(gist)
    told = list(order.told_by_prefix())
    under_way: list[Slot] = []
    while decisions and not order.full:
        fresh = order.startable()
        under_way += fresh
        assert len(under_way) <= LOOK_AHEAD
        if not under_way:
            break
        slot = under_way.pop(draw.randrange(len(under_way)))
        if slot.gist.id in matching:
            slot.match = match_of(slot)
        told += order.decide(slot)
        decisions -= 1
    return [event.gist.id for event in told if isinstance(event, Match)]


CASES = st.tuples(
    st.lists(st.integers(0, 30), max_size=40),
    st.sets(st.integers(0, 40)),
    st.booleans(),
    st.none() | st.integers(1, 5),
    st.integers(0, 2**32),
)


@given(case=CASES, steps=st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_following_the_cursor_tells_every_match_once(
    case: tuple[list[int], set[int], bool, int | None, int], steps: list[int]
) -> None:
    """Whatever is decided when, and wherever calls end: no match is lost or told twice."""
    seconds, matching_places, in_order, limit, seed = case
    gists = [gist_of(place, second) for place, second in enumerate(sorted(seconds))]
    matching = {str(place) for place in matching_places}
    expected = [gist.id for gist in gists if gist.id in matching]
    told: list[str] = []
    cursor = Cursor()
    for step in [*steps, *[10_000] * (len(gists) + 1)]:
        order = Order(cursor, in_order=in_order, limit=limit)
        answer = answered(order, gists, matching, step, seed)
        if limit is not None:
            assert len(answer) <= limit
        if in_order or limit is not None:
            assert answer == [one for one in expected if one in set(answer)]
        told += answer
        cursor = order.cursor
        if order.idle:
            break
    else:
        raise AssertionError("the search never ended")
    assert sorted(told) == sorted(expected)


@given(case=CASES, decisions=st.integers(0, 40))
def test_an_answer_in_order_is_a_prefix(
    case: tuple[list[int], set[int], bool, int | None, int], decisions: int
) -> None:
    """In order, what is told is what an undisturbed search would have told first."""
    seconds, matching_places, _, limit, seed = case
    gists = [gist_of(place, second) for place, second in enumerate(sorted(seconds))]
    matching = {str(place) for place in matching_places}
    expected = [gist.id for gist in gists if gist.id in matching]
    order = Order(Cursor(), in_order=True, limit=limit)
    assert (told := answered(order, gists, matching, decisions, seed)) == expected[: len(told)]
    assert not order.cursor.sent


def test_a_gap_is_told_with_the_prefix_unless_its_gist_matches() -> None:
    """A gist's gaps wait for the gists before it; a match wipes them out."""
    order = Order(Cursor(), in_order=False, limit=None)
    first, second, third = (order.add(gist_of(place)) for place in range(3))
    assert first
    assert second
    assert third
    second.gaps = [gap_of(second)]
    assert not list(order.decide(second))
    third.gaps, third.match = [gap_of(third)], match_of(third)
    assert list(order.decide(third)) == [third.match]
    assert list(order.decide(first)) == second.gaps
    assert order.idle
    assert order.done == 3


def test_a_gist_that_outlasts_the_deadline_is_passed_as_a_gap() -> None:
    """Giving up the oldest undecided gist lets what waited behind it be told."""
    order = Order(Cursor(), in_order=True, limit=None)
    first, second = order.add(gist_of(0)), order.add(gist_of(1))
    assert first
    assert second
    second.match = match_of(second)
    assert not list(order.decide(second))
    assert not order.advanced
    gap, match = order.give_up("deadline", "too slow")
    assert gap == Incomplete(first.gist.html_url, None, "deadline", "too slow")
    assert match == second.match
    assert order.advanced
    assert order.cursor.before == second.gist.created_at
    assert not list(order.give_up("deadline", "nothing left"))


def test_a_gist_listed_too_late_to_be_resumed_is_a_gap() -> None:
    """One that the cursor has passed already, and that is undecided, can't be left for later."""
    order = Order(Cursor(), in_order=True, limit=None)
    old = order.add(gist_of(5))
    assert old
    assert not list(order.decide(old))
    late, later = order.add(gist_of(3)), order.add(gist_of(7))
    assert late
    assert later
    assert [gap.gist for gap in order.give_up_late("late")] == [late.gist.html_url]


def test_nothing_runs_further_ahead_than_the_window() -> None:
    """With the oldest gist undecided, no more than LOOK_AHEAD are begun, each once."""
    order = Order(Cursor(), in_order=True, limit=None)
    for place in range(200):
        order.add(gist_of(place))
    begun = order.startable()
    assert [slot.gist.id for slot in begun] == [str(place) for place in range(LOOK_AHEAD)]
    for slot in begun[1:]:
        assert not list(order.decide(slot))
    assert not order.startable()
    assert not list(order.decide(begun[0]))
    assert [slot.gist.id for slot in order.startable()] == [str(place) for place in range(64, 128)]


def test_gists_are_begun_several_at_a_time() -> None:
    """While most of those under way are, none is begun for each one that ends."""
    order = Order(Cursor(), in_order=True, limit=None)
    for place in range(200):
        order.add(gist_of(place))
    begun = order.startable()
    for slot in begun[: TOGETHER - 1]:
        assert list(order.decide(slot)) == []
        assert order.startable() == []
    assert list(order.decide(begun[TOGETHER - 1])) == []
    assert len(order.startable()) == TOGETHER
