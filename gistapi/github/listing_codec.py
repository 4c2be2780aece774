"""A listing as bytes, for a store that knows nothing of gists."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any

from gistapi.models import Gist, GistFile

VERSION = 1
REMEMBERED = 8
REMEMBERED_BYTES = 256 * 1024
"""Some 1,500 gists, 4 MB as objects."""


@dataclass(frozen=True, slots=True)
class StoredPage:
    """One page as GitHub answered it; `etag` and `next_url` are None where it gave none."""

    url: str
    etag: str | None
    next_url: str | None
    gists: tuple[Gist, ...]
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class StoredListing:
    """All pages of a user, confirmed at `confirmed_at` (epoch seconds); no pages: no such user."""

    confirmed_at: float
    pages: tuple[StoredPage, ...]

    def age_seconds(self, now: float) -> float:
        """How long ago GitHub confirmed it; a clock that was put back makes it old, not new."""
        return now - self.confirmed_at if now >= self.confirmed_at else float("inf")


def in_order(pages: Iterable[StoredPage]) -> Iterator[StoredPage]:
    """The pages as they come, with every gist once, and no `created_at` later than the one before.

    So the times order the gists as GitHub did, also where one is missing or out of place.
    """
    seen: set[str] = set()
    before: datetime | None = None
    for page in pages:
        gists = []
        for gist in page.gists:
            if gist.id in seen:
                continue
            seen.add(gist.id)
            if before is not None and gist.created_at > before:
                gist = replace(gist, created_at=before)  # noqa: PLW2901 - the same gist, in order
            gists.append(gist)
            before = gist.created_at
        yield replace(page, gists=tuple(gists))


def encode(listing: StoredListing) -> bytes:
    """The listing as JSON, compressed: a tenth of the size, and with a checksum."""
    pages = [
        [page.url, page.etag, page.next_url, page.unreadable, [_gist(gist) for gist in page.gists]]
        for page in listing.pages
    ]
    content = json.dumps([VERSION, listing.confirmed_at, pages], separators=(",", ":"))
    return zlib.compress(content.encode(), 1)


def decode(stored: bytes) -> StoredListing | None:
    """What `encode` wrote; None for anything else.

    The last small ones are kept as they are: a fifth of a warm search's time went into this.
    """
    return _remembered(stored) if len(stored) <= REMEMBERED_BYTES else _decoded(stored)


def _decoded(stored: bytes) -> StoredListing | None:
    try:
        version, confirmed_at, pages = json.loads(zlib.decompress(stored))
        if version != VERSION:
            return None
        return StoredListing(
            float(confirmed_at),
            tuple(
                StoredPage(url, etag, next_url, tuple(map(_read_gist, gists)), unreadable)
                for url, etag, next_url, unreadable, gists in pages
            ),
        )
    except (zlib.error, ValueError, TypeError, RecursionError):
        return None


_remembered = lru_cache(maxsize=REMEMBERED)(_decoded)


def _gist(gist: Gist) -> list[object]:
    return [
        gist.id,
        gist.html_url,
        gist.description,
        gist.created_at.isoformat(),
        gist.updated_at.isoformat(),
        gist.truncated,
        gist.git_pull_url,
        *chain.from_iterable(
            (file.name, file.raw_url, file.size_bytes, file.language, file.blob_sha)
            for file in gist.files
        ),
    ]


def _read_gist(stored: list[Any]) -> Gist:
    gist_id, html_url, description, created_at, updated_at, truncated, git_pull_url, *rest = stored
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
    )
