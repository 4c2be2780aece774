"""Encoding and decoding a page of a listing."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gistapi.github import listing_codec
from gistapi.github.listing_codec import (
    PIECE_FILES,
    VERSION,
    StoredPage,
    decode,
    encode,
    pack,
    unpack,
)
from gistapi.github.paging import Numbers
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
    owner=st.none() | words,
    node_id=st.none() | words,
)
numbers = st.integers(min_value=0, max_value=2**40)
pages = st.builds(
    StoredPage,
    url=words,
    confirmed_at=st.floats(allow_nan=False),
    numbers=st.none() | st.builds(Numbers, numbers, numbers),
    etag=st.none() | words,
    date=st.none() | st.floats(allow_nan=False),
    next_url=st.none() | words,
    total=st.none() | numbers,
    ids=st.lists(words, max_size=4).map(tuple),
    pieces=st.lists(st.binary(max_size=20), max_size=3).map(tuple),
    unreadable=numbers,
    size_bytes=numbers,
    missing=st.booleans(),
)


@given(pages)
def test_a_page_survives_encoding(page: StoredPage) -> None:
    """This holds for any text, lone surrogates included."""
    assert decode(encode(page)) == page


@given(st.binary())
def test_garbage_is_no_page(stored: bytes) -> None:
    """Arbitrary bytes are rejected."""
    assert decode(stored) is None


@given(pages, st.data())
def test_damage_is_noticed(page: StoredPage, data: st.DataObject) -> None:
    """A stored page with a changed byte or without its end is no page."""
    stored = bytearray(encode(page))
    at = data.draw(st.integers(0, len(stored) - 1))
    assert decode(bytes(stored[:at])) is None
    stored[at] ^= data.draw(st.integers(1, 255))
    assert decode(bytes(stored)) is None


@pytest.mark.parametrize(
    "head",
    [
        [VERSION + 1, "u", 1.0, None, None, None, None, None, [], 0, 0, False],
        [VERSION, "u", "x", None, None, None, None, None, [], 0, 0, False],
        [VERSION, "u", 1.0, 5, None, None, None, None, [], 0, 0, False],
        [VERSION, "u", 1.0, [5], None, None, None, None, [], 0, 0, False],
        [VERSION, "u", 1.0, None, None, None, None, None, 5, 0, 0, False],
        [VERSION, "u", 1.0],
        [VERSION],
        {},
        None,
    ],
)
def test_another_version_is_no_page(head: object) -> None:
    """A page stored by another version, in whatever format, is requested from GitHub again."""
    packed = zlib.compress(json.dumps(head).encode())
    stored = struct.pack(">I", len(packed)) + packed
    assert decode(struct.pack(">I", zlib.crc32(stored)) + stored) is None


def test_the_age_of_a_page_is_never_underestimated() -> None:
    """Age counts from the revalidation; a page from the future has the greatest age."""
    page = StoredPage("u", 100.0)
    assert page.age_seconds(130.0) == 30.0
    assert page.age_seconds(100.0) == 0.0
    assert page.age_seconds(99.0) == float("inf")


@given(st.lists(gists, max_size=6))
def test_gists_survive_compression(listed: list[Gist]) -> None:
    """All gists are returned, in order."""
    pieces = pack(listed)
    listing_codec._remembered.clear()
    assert [gist for piece in pieces for gist in unpack(piece)] == listed


def test_a_page_is_stored_in_pieces_of_a_few_hundred_files() -> None:
    """Gists with many files are split into many pieces, so that few are in memory at once."""
    file = GistFile("a", None, None, None, None)
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    many = Gist("a", "u", None, moment, moment, (file,) * 250, truncated=False, git_pull_url=None)
    pieces = pack([many] * 7)
    counts = [sum(len(gist.files) for gist in unpack(piece)) for piece in pieces]
    bare = replace(many, files=())
    assert [len(unpack(piece)) for piece in pack([bare] * 1000)] == [300, 300, 300, 100]
    described = replace(bare, description="x" * 10_000)
    assert [len(unpack(piece)) for piece in pack([described] * 20)] == [9, 9, 2]
    assert counts == [500, 500, 500, 250]
    assert max(counts) < PIECE_FILES + 300


def test_a_piece_is_remembered_by_what_it_takes_unpacked() -> None:
    """Repeated names compress to almost nothing, and would take hundreds of MiB as objects."""
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    sha = "0123456789abcdef0123456789abcdef01234567"
    for name, is_remembered in (("hello.py", True), ("\U0001f600" * 250, False)):
        url = f"https://gist.githubusercontent.com/octocat/6cad326836d38bd3a7ae/raw/{sha}/hello.py"
        file = GistFile(name, url, 100, "Python", sha)
        files = tuple(replace(file, name=f"{name}{number}") for number in range(300))
        gist = Gist("a", "u", None, moment, moment, files, truncated=False, git_pull_url=None)
        (piece,) = pack([gist])
        assert len(piece) < 32 * 1024
        assert (unpack(piece) is unpack(piece)) is is_remembered
