"""Stored listings are updated with few requests."""

from __future__ import annotations

from gistapi.github.freshness import Freshness
from tests.fake_github import FakeGithub
from tests.github.asking import Store, on_loop
from tests.github.listings import (
    Clock,
    ids,
    listed,
    listings_of,
    pages,
    targets,
    true_ids,
    turn_to_now,
    with_gists,
)

MINUTES = Freshness(60)


@on_loop
async def test_one_request_updates_a_list(github: FakeGithub) -> None:
    """After the TTL, one request returns additions and edits on any page."""
    user = with_gists(github, 350)
    store, clock = Store(), Clock()
    await ids(listings_of(github, MINUTES, store, clock=clock))
    turn_to_now(github)
    user.add_gist()
    edited = user.in_order()[222]
    edited.edit({"new": "x"})
    github.forget()
    beginning = clock.now
    for _ in range(3):
        clock.now += 59
        gists = await listed(listings_of(github, MINUTES, store, clock=clock))
        changed = next(gist for gist in gists if gist.id == edited.id)
        if clock.now > beginning + 61:
            assert [gist.id for gist in gists] == true_ids(user)
            assert [file.name for file in changed.files] == ["new"]
    assert ["since=" in target for target in targets(github)] == [True]


@on_loop
async def test_a_deletion_is_noticed_after_ten_minutes(github: FakeGithub) -> None:
    """Every ten minutes each page is revalidated by its ETag."""
    user = with_gists(github, 350)
    store, clock = Store(), Clock()
    before = await ids(listings_of(github, MINUTES, store, clock=clock, token="t"))
    user.in_order()[300].delete()
    clock.now += 300
    assert await ids(listings_of(github, MINUTES, store, clock=clock, token="t")) == before
    github.forget()
    clock.now += 301
    assert await ids(listings_of(github, MINUTES, store, clock=clock, token="t")) == true_ids(user)
    assert sorted(request.status or 0 for request in github.requests) == [200, 304, 304, 304]


@on_loop
async def test_many_changes_are_read_page_by_page(github: FakeGithub) -> None:
    """More than a page of changes is not enough, and all pages are requested."""
    user = with_gists(github, 150)
    store, clock = Store(), Clock()
    await ids(listings_of(github, MINUTES, store, clock=clock))
    turn_to_now(github)
    with_gists(github, 120)
    clock.now += 61
    assert await ids(listings_of(github, MINUTES, store, clock=clock)) == true_ids(user)


@on_loop
async def test_a_gist_made_secret_is_not_listed(github: FakeGithub) -> None:
    """The owner's token lists it among the changes."""
    user = with_gists(github, 150)
    store, clock = Store(), Clock()
    await ids(listings_of(github, MINUTES, store, clock=clock, token="t"))
    turn_to_now(github)
    gist = user.in_order()[120]
    gist.public = False
    gist.edit({"a": "x"})
    clock.now += 61
    assert gist.id not in await ids(listings_of(github, MINUTES, store, clock=clock, token="t"))


@on_loop
async def test_a_search_a_minute_leaves_budget(github: FakeGithub) -> None:
    """Searching a user of 1,000 gists once a minute without a token costs 40 requests an hour.

    The listing is never older than ten minutes, and this also holds in the second hour.
    """
    with_gists(github, 1000)
    store, clock = Store(), Clock()
    listings = listings_of(github, MINUTES, store, clock=clock)
    for _hour in range(2):
        github.forget()
        github.rate_limit.window_seconds = 3600
        for _ in range(60):
            found = await pages(listings)
            assert sum(len(page.gists) for page in found) == 1000
            assert found[0].age_seconds <= 600
            clock.now += 60
        assert len(github.requests) <= 40
        github.rate_limit.start_again()


@on_loop
async def test_with_a_token_the_ttl_holds(github: FakeGithub) -> None:
    """The TTL is not extended, since a 304 costs nothing."""
    with_gists(github, 150)
    clock = Clock()
    listings = listings_of(github, MINUTES, clock=clock, token="t")
    for _ in range(20):
        found = await pages(listings)
        assert found[0].age_seconds < 60
        clock.now += 30
