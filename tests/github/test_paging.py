"""Overlapping pages of a list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gistapi.github.paging import FIRST, SIZES, Numbers, following, number_of, numbered, smaller


@pytest.mark.parametrize("most", [100, 97, 30, 11])
def test_pages_overlap_and_advance(most: int) -> None:
    """From any position in a list of 10,000, the next page begins before it and ends after it."""
    for place in range(most, 10_000):
        page = following(place, most)
        assert page.start < place < page.end
        assert page.per_page <= most


@pytest.mark.parametrize(
    ("most", "size", "pages"), [(100, 1_000, 11), (100, 10_000, 114), (30, 300, 13)]
)
def test_overlap_costs_few_pages(most: int, size: int, pages: int) -> None:
    """At 100 entries a page, a tenth more pages than without."""
    page, count = Numbers(most, 1), 1
    while page.end < size:
        page, count = following(page.end, most), count + 1
    assert count == pages


@given(st.integers(1, 10_000), st.sampled_from(SIZES), st.integers(0, 20_000))
def test_a_step_back_begins_earlier(place: int, most: int, back: int) -> None:
    """The page includes the entry that is `back` positions earlier."""
    page = following(place, most, back)
    assert page.start <= max(0, place - 1 - back) < page.end


def test_the_first_page_has_100_entries() -> None:
    """That is GitHub's maximum; later pages may be smaller."""
    assert Numbers(100, 1) == FIRST
    assert [smaller(size) for size in (100, 97, 30, 12, 11, 3)] == [30, 30, 11, 11, None, None]


@pytest.mark.parametrize(
    ("url", "number"),
    [
        ("https://x/user/1/gists?page=2", 2),
        ("https://x/user/1/gists?per_page=100&page=12", 12),
        ("https://x/user/1/gists?after=abc", None),
        ("https://x/user/1/gists", None),
        ("https://x/user/1/gists?page=", None),
        ("https://x/user/1/gists?page=-1", None),
        ("https://x/user/1/gists?page=%D9%A3", None),
        ("https://x/user/1/gists?page=" + "9" * 5000, None),
        ("http://[/?page=2", None),
    ],
)
def test_the_number_of_a_page(url: str, number: int | None) -> None:
    """It is a parameter of the query; other addresses have none."""
    assert number_of(url) == number


def test_other_pages_have_the_same_address() -> None:
    """Only `per_page` and `page` change; the rest of the query stays."""
    url = "https://x/user/1/gists?since=2024-01-01T00%3A00%3A00Z&page=2&e="
    assert numbered(url, Numbers(99, 3)) == (
        "https://x/user/1/gists?since=2024-01-01T00%3A00%3A00Z&page=3&e=&per_page=99"
    )
