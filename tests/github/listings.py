"""Shared by the tests of listings: a clock, listings of the fake, and their contents."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from gistapi.events import Event, ignore
from gistapi.github.freshness import Freshness
from gistapi.github.listing import Listings
from gistapi.models import Gist, Page, Target
from tests.fake_github import FakeGithub, User
from tests.github.asking import Store, client_of, close_later, scope_of, user_of

FIRST = "/users/octocat/gists?per_page=100"
OCTOCAT = Target("username", "octocat")
ASK_ALWAYS = Freshness(0, reconcile_seconds=0)
TRUSTING = Freshness(600)


class Closer:
    """Closes listings, whose threads end."""

    def __init__(self, listings: Listings) -> None:
        self._listings = listings

    async def close(self) -> None:
        """Close them."""
        self._listings.close()


class Clock:
    """A time of day that a test sets; a millisecond passes each time it is read."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


TICKING = Clock()


def listings_of(
    github: FakeGithub,
    freshness: Freshness = ASK_ALWAYS,
    store: Store | None = None,
    observe: Callable[[Event], None] = ignore,
    clock: Callable[[], float] = TICKING,
    **about: Any,
) -> Listings:
    """Listings of the fake, stored in `store`."""
    client = client_of(github, **about)
    listings = Listings(client, Store() if store is None else store, freshness, observe, clock)
    close_later(Closer(listings))
    return listings


async def pages(
    listings: Listings,
    target: Target = OCTOCAT,
    seconds: float = 30,
    caller_token: str | None = None,
) -> list[Page]:
    """All pages; only the last one is marked as the last."""
    scope = scope_of(seconds, caller_token=caller_token)
    async with aclosing(listings.pages(target, scope)) as found:
        read = [page async for page in found]
    assert [page.last for page in read] == [False] * (len(read) - 1) + [True]
    return read


async def listed(
    listings: Listings, target: Target = OCTOCAT, caller_token: str | None = None
) -> list[Gist]:
    """All gists, each once, with ordered times."""
    read = await pages(listings, target, caller_token=caller_token)
    gists = [gist for page in read for gist in page.gists]
    assert len({gist.id for gist in gists}) == len(gists)
    times = [gist.created_at for gist in gists]
    assert times == sorted(times, reverse=True)
    return gists


async def ids(
    listings: Listings, target: Target = OCTOCAT, caller_token: str | None = None
) -> list[str]:
    """The ids of all gists."""
    return [gist.id for gist in await listed(listings, target, caller_token)]


def true_ids(user: User) -> list[str]:
    """The ids in GitHub's order."""
    return [gist.id for gist in user.in_order() if gist.public]


def with_gists(github: FakeGithub, count: int, *, public: bool = True) -> User:
    """The user, with `count` more gists that have no files."""
    user = user_of(github)
    for _ in range(count):
        user.add_gist(public=public)
    return user


def turn_to_now(github: FakeGithub) -> None:
    """Make later changes newer than everything that has been read."""
    github.world.turn_to(datetime.now(UTC))


def targets(github: FakeGithub) -> list[str]:
    """The targets of the requests so far."""
    return [request.target for request in github.requests]
