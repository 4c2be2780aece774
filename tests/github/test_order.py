"""Merging the pages of a list and later changes into one order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gistapi.github.order import Order
from gistapi.models import Gist

BEGINNING = datetime(2024, 1, 1, tzinfo=UTC)


def gist(gist_id: str, created: int, updated: int = 0, text: str = "") -> Gist:
    """A gist that was created and updated at some minutes."""
    return Gist(
        gist_id,
        "u",
        text,
        BEGINNING + timedelta(minutes=created),
        BEGINNING + timedelta(minutes=updated),
        (),
        truncated=False,
        git_pull_url=None,
    )


gists = st.lists(
    st.builds(gist, st.sampled_from("abcdefgh"), st.integers(0, 9), st.integers(0, 9)), max_size=9
)


@given(st.lists(gists, max_size=4))
def test_gists_are_unique_and_ordered_by_time(pages: list[list[Gist]]) -> None:
    """Each ID stays at its first position, and no gist is newer than the one before it."""
    order = Order()
    made = [placed for page in pages for placed in order.take(page)]
    assert order.rest() == ()
    listed = [each for page in pages for each in page]
    assert [each.id for each in made] == list(dict.fromkeys(each.id for each in listed))
    created = [each.created_at for each in made]
    assert created == sorted(created, reverse=True)
    first = {each.id: each for each in reversed(listed)}
    for each in made:
        assert each.created_at <= first[each.id].created_at
        assert replace(each, created_at=BEGINNING) == replace(first[each.id], created_at=BEGINNING)


@given(st.lists(gists, max_size=4), gists, st.sets(st.sampled_from("abcdefgh")))
def test_changed_gists_are_merged(
    pages: list[list[Gist]], changed: list[Gist], hidden: set[str]
) -> None:
    """Every changed gist is listed once, hidden ones are not, and the order is kept."""
    changed = sorted(
        {each.id: each for each in changed}.values(), key=lambda g: g.created_at, reverse=True
    )
    order = Order(changed, hidden)
    made = [placed for page in pages for placed in order.take(page)] + [*order.rest()]
    ids = [each.id for each in made]
    listed = {each.id for page in pages for each in page} - hidden
    assert sorted(ids) == sorted(listed | {each.id for each in changed})
    created = [each.created_at for each in made]
    assert created == sorted(created, reverse=True)


def test_a_change_is_merged_at_its_position() -> None:
    """A new gist is inserted by its time, an edited one replaces its older state."""
    order = Order([gist("new", 9, 9), gist("between", 6, 9), gist("edited", 5, 9, "edited")])
    first = order.take([gist("a", 8), gist("b", 7)])
    second = order.take([gist("edited", 5), gist("c", 4)])
    assert [each.id for each in first + second] == ["new", "a", "b", "between", "edited", "c"]
    assert second[1].description == "edited"
    assert order.rest() == ()


def test_a_changed_gist_older_than_the_list_comes_last() -> None:
    """A changed gist that no page has is appended."""
    order = Order([gist("old", 1, 9)])
    assert [each.id for each in order.take([gist("a", 8)])] == ["a"]
    assert [each.id for each in order.rest()] == ["old"]


def test_the_latest_state_is_listed() -> None:
    """A page that was read after the changes has newer files than the changes."""
    order = Order([gist("a", 5, 6, "then")])
    assert order.take([gist("a", 5, 7, "now")])[0].description == "now"


def test_a_hidden_gist_is_not_listed() -> None:
    """A gist that must no longer be shown is removed."""
    order = Order((), hidden={"a"})
    assert [each.id for each in order.take([gist("a", 5), gist("b", 4)])] == ["b"]
