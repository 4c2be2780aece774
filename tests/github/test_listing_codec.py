"""A listing as bytes, and in an order that times agree with."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gistapi.github.listing_codec import (
    VERSION,
    StoredListing,
    StoredPage,
    decode,
    encode,
    in_order,
)
from gistapi.models import Gist, GistFile

words = st.text(max_size=8)
times = st.datetimes(timezones=st.just(UTC))
files = st.builds(
    GistFile,
    name=words,
    raw_url=st.none() | words,
    size_bytes=st.none() | st.integers(min_value=0),
    language=st.none() | words,
    blob_sha=st.none() | words,
)
gists = st.builds(
    Gist,
    id=st.sampled_from("abcdefgh"),
    html_url=words,
    description=st.none() | words,
    created_at=times,
    updated_at=times,
    files=st.lists(files, max_size=3).map(tuple),
    truncated=st.booleans(),
    git_pull_url=st.none() | words,
)
pages = st.builds(
    StoredPage,
    url=words,
    etag=st.none() | words,
    next_url=st.none() | words,
    gists=st.lists(gists, max_size=4).map(tuple),
    unreadable=st.integers(min_value=0),
)
listings = st.builds(
    StoredListing,
    confirmed_at=st.floats(allow_nan=False),
    pages=st.lists(pages, max_size=3).map(tuple),
)


@given(listings)
def test_what_is_stored_comes_back(listing: StoredListing) -> None:
    """A listing survives being bytes, whatever stands in it: lone surrogates too."""
    assert decode(encode(listing)) == listing


@given(st.binary())
def test_garbage_is_no_listing(stored: bytes) -> None:
    """Bytes that nobody wrote are not believed."""
    assert decode(stored) is None


@given(listings, st.data())
def test_damage_is_seen(listing: StoredListing, data: st.DataObject) -> None:
    """A stored listing of which one byte changed, or the end is lost, is no listing."""
    stored = bytearray(encode(listing))
    at = data.draw(st.integers(2, len(stored) - 1))  # the first two are flags of the format
    assert decode(bytes(stored[:at])) is None
    stored[at] ^= data.draw(st.integers(1, 255))
    assert decode(bytes(stored)) in {None, listing}


@pytest.mark.parametrize(
    "value",
    [
        [VERSION + 1, 1.0, []],
        [VERSION, 1.0],
        [VERSION, "x", []],
        [VERSION, None, []],
        [VERSION, 1.0, [["u", None, None, 0]]],
        [VERSION, 1.0, [["u", None, None, 0, [["id"]]]]],
        [VERSION, 1.0, [["u", None, None, 0, [["i", "h", None, "x", "y", False, None]]]]],
        [VERSION, 1.0, [["u", None, None, 0, 5]]],
        {},
        None,
    ],
)
def test_another_version_is_no_listing(value: object) -> None:
    """What another version stored, in whatever shape, is asked of GitHub anew."""
    assert decode(zlib.compress(json.dumps(value).encode())) is None


def test_the_age_of_a_listing_never_flatters() -> None:
    """Age counts from the confirmation; one in the future is as old as can be."""
    listing = StoredListing(100.0, ())
    assert listing.age_seconds(130.0) == 30.0
    assert listing.age_seconds(100.0) == 0.0
    assert listing.age_seconds(99.0) == float("inf")


@given(st.lists(pages, max_size=4))
def test_every_gist_stands_once_and_times_fall(taken: list[StoredPage]) -> None:
    """Each id is kept where it came first; no time is later than that of the gist before."""
    made = list(in_order(taken))
    ids = [gist.id for page in made for gist in page.gists]
    assert ids == list(dict.fromkeys(gist.id for page in taken for gist in page.gists))
    created = [gist.created_at for page in made for gist in page.gists]
    assert created == sorted(created, reverse=True)
    assert [(p.url, p.etag, p.next_url, p.unreadable) for p in made] == [
        (p.url, p.etag, p.next_url, p.unreadable) for p in taken
    ]


@given(st.lists(pages, max_size=4))
def test_what_is_in_order_stays_as_it_is(taken: list[StoredPage]) -> None:
    """Putting in order twice changes nothing more, and a time changes only to be earlier."""
    made = list(in_order(taken))
    assert list(in_order(made)) == made
    before = {gist.id: gist for page in reversed(taken) for gist in reversed(page.gists)}
    for page in made:
        for gist in page.gists:
            assert gist.created_at <= before[gist.id].created_at
            assert gist.files == before[gist.id].files


def test_pages_are_put_in_order_as_they_come() -> None:
    """A page is there before the one after it has been asked for."""
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    gist = Gist("a", "u", None, moment, moment, (), truncated=False, git_pull_url=None)

    def come() -> Iterator[StoredPage]:
        yield StoredPage("1", None, None, (gist,))
        raise AssertionError("asked too early")

    assert next(in_order(come())).gists == (gist,)
