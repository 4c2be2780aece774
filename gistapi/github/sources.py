"""Which lists of GitHub's there are, and how each is asked for and read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from urllib.parse import quote, urlencode

from gistapi.errors import GistapiError, UserNotFoundError
from gistapi.github.entries import Entries, parse_gists
from gistapi.github.paging import Numbers
from gistapi.models import Target


@dataclass(frozen=True, slots=True)
class Source:
    """One list: its address without a query, and how the body of a page is read.

    `shows_updates`: asked for what was updated `since`, it shows all that was added or edited.
    `unknown` makes the error of a list that GitHub does not know.
    """

    url: str
    parse: Callable[[bytes], Entries]
    shows_updates: bool
    unknown: Callable[[], GistapiError]

    def first(self, numbers: Numbers) -> str:
        """The address of the first page."""
        return f"{self.url}?per_page={numbers.per_page}"

    def since(self, numbers: Numbers, moment: float) -> str:
        """The address of what was updated after a moment (epoch seconds, GitHub's clock)."""
        since = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = urlencode({"per_page": numbers.per_page, "since": since}, safe=":")
        return f"{self.url}?{query}"

    def key(self, caller_token: str | None) -> str:
        """What its first page is kept under: nobody else's where a caller's token is used."""
        return self.url.lower() + suffix(caller_token)


def source_of(api_url: str, target: Target) -> Source:
    """The list that has a target's gists."""
    return Source(
        url=f"{api_url}/users/{quote(target.name, safe='')}/gists",
        parse=partial(parse_gists, owner=target.name),
        shows_updates=True,
        unknown=partial(UserNotFoundError, "GitHub knows no such user."),
    )


def suffix(caller_token: str | None) -> str:
    """What keeps a caller's pages apart in the store: a digest that does not show the token."""
    if caller_token is None:
        return ""
    return "#" + hashlib.sha256(b"gistapi listing\0" + caller_token.encode()).hexdigest()
