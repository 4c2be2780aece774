"""A page of a list as it is kept: as bytes, in pieces small enough to be read on the loop."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from threading import Lock
from typing import Any

from cachetools import LRUCache

from gistapi.github.paging import Numbers
from gistapi.models import Gist, GistFile

VERSION = 5
PIECE_FILES = 300
"""Gists and files in a piece, not counting its last gist: a few hundred kB as objects."""
FILE_CHARACTERS = 300
"""Of a description, that count as much as a file."""
REMEMBERED = 32
REMEMBERED_BYTES = 128 * 1024
"""Of a piece as JSON; as objects it takes up to five times as much, and compressed next to nothing
if names repeat."""
_NUMBER = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class StoredPage:
    """One page of a list as GitHub answered it.

    `url` is where it came from; `numbers` its place, None where the list is not counted by them.
    `confirmed_at` (epoch seconds, our clock) is when GitHub was last asked, `date` the same moment
    on GitHub's clock. `next_url` is None on the last page; `total` is how many entries the list
    has at least, if GitHub said so. `ids` name all entries, `pieces` hold the gists to show (see
    `unpack`), `unreadable` of which had no address. `size_bytes` is the size of GitHub's answer.
    `missing`: GitHub knew no such list.
    """

    url: str
    confirmed_at: float
    numbers: Numbers | None = None
    etag: str | None = None
    date: float | None = None
    next_url: str | None = None
    total: int | None = None
    ids: tuple[str, ...] = ()
    pieces: tuple[bytes, ...] = ()
    unreadable: int = 0
    size_bytes: int = 0
    missing: bool = False

    def age_seconds(self, now: float) -> float:
        """How long ago GitHub was asked; a clock that was put back makes it old, not new."""
        return now - self.confirmed_at if now >= self.confirmed_at else float("inf")


def encode(page: StoredPage) -> bytes:
    """The page as bytes: a head, the pieces, a checksum."""
    numbers = page.numbers
    head = [
        VERSION,
        page.url,
        page.confirmed_at,
        None if numbers is None else [numbers.per_page, numbers.page],
        page.etag,
        page.date,
        page.next_url,
        page.total,
        page.ids,
        page.unreadable,
        page.size_bytes,
        page.missing,
    ]
    packed = zlib.compress(json.dumps(head, separators=(",", ":")).encode(), 1)
    parts = (packed, *page.pieces)
    stored = b"".join(_NUMBER.pack(len(part)) + part for part in parts)
    return _NUMBER.pack(zlib.crc32(stored)) + stored


def decode(stored: bytes) -> StoredPage | None:
    """What `encode` wrote; None for anything else."""
    try:
        if _NUMBER.unpack_from(stored)[0] != zlib.crc32(memoryview(stored)[_NUMBER.size :]):
            return None
        head, *pieces = _parts(stored)
        version, url, confirmed_at, numbers, *rest = json.loads(zlib.decompress(head))
        if version != VERSION:
            return None
        etag, date, next_url, total, ids, unreadable, size_bytes, missing = rest
        return StoredPage(
            url=url,
            confirmed_at=float(confirmed_at),
            numbers=None if numbers is None else Numbers(*numbers),
            etag=etag,
            date=date,
            next_url=next_url,
            total=total,
            ids=tuple(ids),
            pieces=tuple(pieces),
            unreadable=unreadable,
            size_bytes=size_bytes,
            missing=missing,
        )
    except (zlib.error, struct.error, ValueError, TypeError, RecursionError):
        return None


def _parts(stored: bytes) -> Iterator[bytes]:
    at = _NUMBER.size
    while at < len(stored):
        size = _NUMBER.unpack_from(stored, at)[0]
        at += _NUMBER.size
        yield stored[at : at + size]
        at += size


def pack(gists: Iterable[Gist]) -> tuple[bytes, ...]:
    """Gists as compressed pieces, a tenth of their size."""
    pieces = []
    piece: list[Gist] = []
    files = 0
    for gist in gists:
        piece.append(gist)
        files += 1 + len(gist.files) + len(gist.description or "") // FILE_CHARACTERS
        if files >= PIECE_FILES:
            pieces.append(_packed(piece))
            piece, files = [], 0
    return (*pieces, _packed(piece)) if piece else tuple(pieces)


def unpack(piece: bytes) -> tuple[Gist, ...]:
    """The gists of a piece that `pack` wrote.

    The small ones that were written or read last are remembered.
    """
    with _lock:
        gists = _remembered.get(piece)
    if gists is None:
        read = json.loads(zlib.decompress(memoryview(piece)[_NUMBER.size :]))
        gists = tuple(map(_read_gist, read))
        _remember(piece, gists)
    return gists


def _packed(gists: list[Gist]) -> bytes:
    """The piece as JSON: how long it is, then compressed."""
    text = json.dumps(list(map(_gist, gists)), separators=(",", ":")).encode()
    piece = _NUMBER.pack(len(text)) + zlib.compress(text, 1)
    _remember(piece, tuple(gists))  # a search reads it next
    return piece


_remembered: LRUCache[bytes, tuple[Gist, ...]] = LRUCache(REMEMBERED)
_lock = Lock()


def _remember(piece: bytes, gists: tuple[Gist, ...]) -> None:
    if _NUMBER.unpack_from(piece)[0] <= REMEMBERED_BYTES:
        with _lock:
            _remembered[piece] = gists


def _gist(gist: Gist) -> list[object]:
    return [
        gist.id,
        gist.html_url,
        gist.description,
        gist.created_at.isoformat(),
        gist.updated_at.isoformat(),
        gist.truncated,
        gist.git_pull_url,
        gist.owner,
        gist.node_id,
        *chain.from_iterable(
            (file.name, file.raw_url, file.size_bytes, file.language, file.blob_sha)
            for file in gist.files
        ),
    ]


def _read_gist(stored: list[Any]) -> Gist:
    gist_id, html_url, description, created_at, updated_at, truncated, *rest = stored
    git_pull_url, owner, node_id, *rest = rest
    fields = [iter(rest)] * 5
    return Gist(
        gist_id,
        html_url,
        description,
        datetime.fromisoformat(created_at),
        datetime.fromisoformat(updated_at),
        tuple(GistFile(*file) for file in zip(*fields, strict=True)),
        truncated,
        git_pull_url,
        owner,
        node_id,
    )
