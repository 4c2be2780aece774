"""Which pages of a list to ask for, so that each begins inside the one before.

GitHub's `page` p of `per_page` n has the entries from (p - 1) n on. A list is paged while it
changes: an entry that is deleted moves all later ones up, and the first entry of the next page is
skipped. Pages that overlap show it: a page that holds an entry known from the pages before leaves
out nothing between that entry and its own end.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode, urlsplit

SIZES = (100, 30, 11)
"""Entries a page: GitHub's most; fewer where that takes GitHub too long, or too much memory here.

With 11 or more there is an overlapping page that leads on from any place of a list of less than
27,720 entries, the least common multiple of 1 to 11.
"""


@dataclass(frozen=True, slots=True)
class Numbers:
    """`per_page` and `page` of one request; both count from 1."""

    per_page: int
    page: int

    @property
    def start(self) -> int:
        """The place of the page's first entry, from 0."""
        return (self.page - 1) * self.per_page

    @property
    def end(self) -> int:
        """The place after the page's last entry, if it is full."""
        return self.page * self.per_page


FIRST = Numbers(SIZES[0], 1)


@lru_cache(maxsize=1000)
def following(end: int, most: int, back: int = 0) -> Numbers:
    """The page of at most `most` entries that leads furthest, and begins before place `end - back`.

    So it has the entry before that place, if the list has not moved. A list of 1,000 takes 11
    pages, not 10; one of 10,000 takes 114, not 100.
    """
    place = max(0, end - 1 - back)
    pages = (Numbers(size, place // size + 1) for size in range(1, most + 1))
    return max(pages, key=lambda numbers: (numbers.end, numbers.per_page))


def smaller(per_page: int) -> int | None:
    """The next smaller size of a page; None at the smallest."""
    return next((size for size in SIZES if size < per_page), None)


def number_of(url: str) -> int | None:
    """The number of the page at `url`; None where its address counts in another way."""
    try:
        number = dict(parse_qsl(urlsplit(url).query)).get("page", "")
    except ValueError:
        return None
    return int(number) if number.isascii() and number.isdigit() and len(number) <= 9 else None  # noqa: PLR2004


def numbered(url: str, numbers: Numbers) -> str:
    """The address of another page of the list that `url` has a page of."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query |= {"per_page": str(numbers.per_page), "page": str(numbers.page)}
    return parts._replace(query=urlencode(query)).geturl()
