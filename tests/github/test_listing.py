"""A user's gists, page by page: as GitHub has them, and as they are remembered."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from gistapi.aio.deadline import Deadline
from gistapi.errors import (
    CancelledError,
    GithubError,
    GithubRateLimitedError,
    UserNotFoundError,
)
from gistapi.events import CacheRead, Event, ignore
from gistapi.github.listing import IDLE_PAGES, MAX_TAKES, Freshness, Listings
from gistapi.models import Gist, Page
from tests.fake_github import FakeGithub, Fault, Literal, Request, Response, User, answers
from tests.fake_github.message import from_json
from tests.github.asking import Store, client_of, user_of

FIRST = "/users/octocat/gists?per_page=100"
ASK_ALWAYS = Freshness(0)
TRUSTING = Freshness(600)


def listings_of(
    github: FakeGithub,
    trust: Freshness = ASK_ALWAYS,
    store: Store | None = None,
    observe: Callable[[Event], None] = ignore,
    **about: Any,
) -> Listings:
    """Listings of the fake, remembered in `store`."""
    client = client_of(github, **about)
    return Listings(client, Store() if store is None else store, trust, observe)


def pages(listings: Listings, name: str = "octocat", seconds: float = 30) -> list[Page]:
    """All pages; the last one says so, and no other."""
    found = list(listings.pages(name, Deadline(seconds)))
    assert [page.last for page in found] == [False] * (len(found) - 1) + [True]
    return found


def listed(listings: Listings, name: str = "octocat") -> list[Gist]:
    """All gists, each once, their times in order."""
    gists = [gist for page in pages(listings, name) for gist in page.gists]
    assert len({gist.id for gist in gists}) == len(gists)
    return gists


def ids(listings: Listings, name: str = "octocat") -> list[str]:
    """The ids of all gists."""
    return [gist.id for gist in listed(listings, name)]


def true_ids(user: User) -> list[str]:
    """The ids as GitHub would list them."""
    return [gist.id for gist in user.in_order() if gist.public]


def with_gists(github: FakeGithub, count: int) -> User:
    """The user with so many gists of no file."""
    user = user_of(github)
    for _ in range(count):
        user.add_gist()
    return user


def keep_adding(github: FakeGithub, user: User, requests: int = 1000) -> None:
    """Let a gist be added before each of so many answers."""

    def add(_: Request) -> None:
        if len(github.requests) <= requests:
            user.add_gist()

    github.on_request(add)


def targets(github: FakeGithub) -> list[str]:
    """What was asked for."""
    return [request.target for request in github.requests]


# fresh listings


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (1, 1), (100, 1), (101, 3), (250, 4)])
def test_every_gist_is_listed(github: FakeGithub, count: int, requests: int) -> None:
    """All pages are read, in order; of more than one, the first is looked at again at the end."""
    user = with_gists(github, count)
    gists = listed(listings_of(github))
    assert [gist.id for gist in gists] == true_ids(user)
    times = [gist.created_at for gist in gists]
    assert times == sorted(times, reverse=True)
    assert len(github.requests) == requests


def test_link_is_followed_as_it_is(github: FakeGithub) -> None:
    """The next page's address is GitHub's own, with the user's number; headers are as it asks."""
    with_gists(github, 150)
    listed(listings_of(github))
    assert targets(github) == [FIRST, "/user/1/gists?per_page=100&page=2", FIRST]
    for request in github.requests:
        assert request.headers["accept"] == "application/vnd.github+json"
        assert request.headers["x-github-api-version"] == "2022-11-28"
        assert request.headers["user-agent"] == "gistapi"


def test_a_relative_link_is_followed(github: FakeGithub) -> None:
    """`Link` counts from the page that has it (RFC 8288)."""
    user = with_gists(github, 1)
    more = {"Link": '</users/octocat/gists?page=1>; rel="next"'}
    github.faults.inject(Fault(answer=from_json(200, [], more)), times=1)
    assert ids(listings_of(github)) == true_ids(user)


def test_a_link_elsewhere_is_an_error(github: FakeGithub) -> None:
    """Another host is not asked for a page."""
    away = {"Link": '<http://evil.example/gists?page=2>; rel="next"'}
    github.faults.inject(Fault(answer=from_json(200, [], away)))
    with pytest.raises(GithubError, match=r"evil\.example, which is not allowed"):
        listed(listings_of(github))
    assert len(github.requests) == 1


def test_secret_gists_are_never_listed(github: FakeGithub) -> None:
    """What a token of the user's own would show stays hidden."""
    user = with_gists(github, 2)
    user.add_gist(public=False)
    assert ids(listings_of(github, token="canary")) == true_ids(user)


def test_what_has_no_address_is_counted(github: FakeGithub) -> None:
    """A gist that can't be named is told as a number."""
    user = with_gists(github, 1)
    user.add_gist(listed=lambda entry: entry | {"html_url": None})
    assert sum(page.unreadable for page in pages(listings_of(github))) == 1


def test_a_server_that_answers_one_page_again_and_again_is_left(github: FakeGithub) -> None:
    """Pages with nothing new end the list, after a few."""
    user = with_gists(github, 3)
    link = {"Link": f'<{github.api_url}{FIRST}&page=2>; rel="next"'}
    entries = [{"id": g.id, "html_url": g.html_url, "public": True} for g in user.in_order()]
    github.faults.inject(Fault(answer=from_json(200, entries, link)))
    assert ids(listings_of(github)) == true_ids(user)
    assert len(github.requests) <= IDLE_PAGES + 2


@pytest.mark.parametrize("seed", range(8))
def test_a_list_that_changes_while_it_is_read(github: FakeGithub, seed: int) -> None:
    """What is there all the time is listed, and once, while others come and go at the top."""
    user = with_gists(github, 350)
    drawn = random.Random(seed)
    before = true_ids(user)

    def change(_: Request) -> None:
        if len(github.requests) <= 4:  # the list is read again until it holds still
            for _change in range(drawn.randrange(4)):
                if drawn.random() < 0.5:
                    user.add_gist()
                else:
                    github.world.gists[before.pop(0)].delete()

    github.on_request(change)
    found = ids(listings_of(github))
    assert set(before) <= set(found)


def test_a_list_that_never_holds_still_ends(github: FakeGithub) -> None:
    """It is read again a few times, no more."""
    user = with_gists(github, 150)
    keep_adding(github, user)
    assert len(ids(listings_of(github))) >= 150
    assert len(github.requests) <= MAX_TAKES * 4


def test_the_last_look_may_fail(github: FakeGithub) -> None:
    """A list that was read whole is whole, also when nobody can say that it is still so."""
    user = with_gists(github, 150)
    refused = Fault(answer=answers.error(403, "No"))
    github.faults.inject(refused, path=lambda request: "if-none-match" in request.headers)
    assert ids(listings_of(github)) == true_ids(user)


# errors


def test_an_unknown_user(github: FakeGithub) -> None:
    """A 404 is asked for once and says that there is no such user."""
    with pytest.raises(UserNotFoundError, match="no such user"):
        listed(listings_of(github), "nobody")
    assert len(github.requests) == 1


def test_a_404_between_pages_is_no_unknown_user(github: FakeGithub) -> None:
    """The list broke off."""
    with_gists(github, 150)
    github.faults.inject(Fault(answer=answers.not_found()), path="page=2")
    with pytest.raises(GithubError, match="broke off") as raised:
        listed(listings_of(github))
    assert not isinstance(raised.value, UserNotFoundError)


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (answers.bad_credentials(), "401: Bad credentials"),
        (answers.error(403, "Must have admin rights"), "403: Must have admin rights"),
        (answers.spammed(), "422: Validation Failed"),
        (answers.blocked(451), r"451: Repository access blocked \(dmca\)"),
        (answers.error(410, "This version is gone"), "410: This version is gone"),
        (Response(304), "304"),
    ],
)
def test_a_refusal_is_told_in_githubs_words(
    github: FakeGithub, refusal: Response, words: str
) -> None:
    """What no other try would change is tried once."""
    github.faults.inject(Fault(answer=refusal))
    with pytest.raises(GithubError, match=words):
        listed(listings_of(github))
    assert len(github.requests) == 1


HTML = Response(200, {"Content-Type": "text/html"}, Literal(b"<html>Unicorn!</html>"))
ONCE = {
    "HTML": Fault(answer=HTML),
    "object": Fault(answer=from_json(200, {"message": "Server Error"})),
    "wrong bytes": Fault(answer=Response(200, {}, Literal(b'["\xff"]'))),
    "nothing": Fault(answer=Response(200)),
    "502": Fault(answer=answers.unicorn()),
    "cut": Fault(cut_body_at=40),
    "cut chunks": Fault(cut_body_at=40, chunked=True),
    "reset": Fault(cut_body_at=40, reset=True),
    "no answer": Fault(cut_head_at=0),
    "half a head": Fault(cut_head_at=60),
    "corrupt gzip": Fault(gzip="corrupt"),
    "half of a gzip": Fault(gzip="truncated"),
    "longer than it is": Fault(content_length_delta=5),
    "shorter than it is": Fault(content_length_delta=-50),
}


@pytest.mark.parametrize("fault", ONCE.values(), ids=ONCE)
def test_what_goes_wrong_once_is_not_seen(github: FakeGithub, fault: Fault) -> None:
    """The page is asked for again, and the list is whole."""
    user = with_gists(github, 3)
    rule = github.faults.inject(fault, times=1)
    assert ids(listings_of(github)) == true_ids(user)
    assert (rule.hits, len(github.requests)) == (1, 2)


def test_what_always_goes_wrong_is_told(github: FakeGithub) -> None:
    """Four tries, then the error says what GitHub does."""
    rule = github.faults.inject(Fault(answer=HTML))
    with pytest.raises(GithubError, match="GitHub answered something that is not JSON"):
        listed(listings_of(github))
    assert rule.hits == 4


def test_fewer_are_asked_for_where_many_fail(github: FakeGithub) -> None:
    """A list that takes GitHub too long is read in smaller pages."""
    user = with_gists(github, 70)
    github.faults.inject(Fault(answer=answers.server_error(502)), path="per_page=100")
    assert ids(listings_of(github)) == true_ids(user)
    assert targets(github)[:4] == [
        FIRST,
        FIRST,
        FIRST[:-3] + "30",
        "/user/1/gists?per_page=30&page=2",
    ]


def test_a_limit_that_is_soon_over_is_waited_for(github: FakeGithub) -> None:
    """A listing within its deadline takes its time."""
    user = with_gists(github, 1)
    limited = answers.secondary_limit(403, retry_after="1")
    github.faults.inject(Fault(answer=limited), times=1)
    assert ids(listings_of(github)) == true_ids(user)
    first, second = github.requests
    assert second.started - first.started >= 1


def test_a_limit_beyond_the_deadline_is_told(github: FakeGithub) -> None:
    """Whoever asks learns how long to wait, and GitHub is not asked again."""
    github.rate_limit.use_up()
    with_gists(github, 1)
    listings = listings_of(github)
    for _ in range(2):
        with pytest.raises(GithubRateLimitedError) as raised:
            listed(listings)
        assert raised.value.retry_after_seconds == pytest.approx(3600, abs=60)
    assert len(github.requests) == 1


# remembered listings


def test_a_fresh_listing_is_not_asked_for(github: FakeGithub) -> None:
    """Within its time a listing is trusted, whatever the case of the name; it says it was known."""
    told: list[Event] = []
    with_gists(github, 150)
    listings = listings_of(github, TRUSTING, observe=told.append)
    first = listed(listings)
    github.forget()
    assert listed(listings) == listed(listings, "OctoCat") == first
    assert github.requests == []
    assert told == [CacheRead("listing", 0, 1)] + [CacheRead("listing", 1, 0)] * 2


def test_an_old_listing_is_confirmed_page_by_page(github: FakeGithub) -> None:
    """Nothing changed: a conditional request for each page, all answered by 304."""
    with_gists(github, 350)
    listings = listings_of(github)
    first = listed(listings)
    github.forget()
    assert listed(listings) == first
    assert [request.status for request in github.requests] == [304] * 4
    assert all("if-none-match" in request.headers for request in github.requests)


def test_known_pages_are_asked_for_side_by_side(github: FakeGithub) -> None:
    """Pages whose addresses are known do not wait for one another."""
    with_gists(github, 350)
    listings = listings_of(github)
    listed(listings)
    github.forget()
    gate = threading.Event()
    github.faults.inject(Fault(held=gate))
    github.on_request(lambda _: gate.set() if github.traffic["api"].in_flight == 4 else None)
    listed(listings)
    assert gate.is_set()


def test_pages_without_etags_are_asked_for_anew(github: FakeGithub) -> None:
    """What has no tag can't be confirmed, and is read again."""
    user = with_gists(github, 2)
    entries = [{"id": g.id, "html_url": g.html_url, "public": True} for g in user.in_order()]
    github.faults.inject(Fault(answer=from_json(200, entries)))
    listings = listings_of(github)
    assert ids(listings) == ids(listings) == true_ids(user)
    assert not any("if-none-match" in request.headers for request in github.requests)


def grow(user: User) -> None:
    """Add more than a page."""
    for _ in range(120):
        user.add_gist()


def shrink(user: User) -> None:
    """Delete more than a page."""
    for gist in user.in_order()[:120]:
        gist.delete()


CHANGES: dict[str, Callable[[User], object]] = {
    "a new one": lambda user: user.add_gist(),
    "a page more": grow,
    "a page less": shrink,
    "the newest gone": lambda user: user.in_order()[0].delete(),
    "one in the middle gone": lambda user: user.in_order()[120].delete(),
    "the oldest gone": lambda user: user.in_order()[-1].delete(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changed_shows(github: FakeGithub, change: Callable[[User], object]) -> None:
    """The listing is as GitHub has it now, and so it is remembered."""
    user = with_gists(github, 250)
    store = Store()
    listings = listings_of(github, store=store)
    ids(listings)
    change(user)
    assert ids(listings) == true_ids(user)
    github.forget()
    assert ids(listings_of(github, TRUSTING, store)) == true_ids(user)
    assert github.requests == []


def test_an_edit_shows(github: FakeGithub) -> None:
    """A gist with other files is listed with them."""
    gist = user_of(github).add_gist({"a": "old"})
    listings = listings_of(github)
    (before,) = listed(listings)
    gist.edit({"a": "new", "b": "beside"})
    (after,) = listed(listings)
    assert [file.name for file in after.files] == ["a", "b"]
    assert after.files[0].blob_sha != before.files[0].blob_sha
    assert after.updated_at > before.updated_at


def test_a_listing_that_changes_while_it_is_confirmed_is_read_anew(github: FakeGithub) -> None:
    """The first page is looked at once more after a change, and may have changed again."""
    user = with_gists(github, 250)
    listings = listings_of(github)
    ids(listings)
    github.forget()
    keep_adding(github, user, requests=6)
    assert set(ids(listings)) == set(true_ids(user))
    assert len(github.requests) > 6


def test_an_unknown_user_is_remembered(github: FakeGithub) -> None:
    """A 404 holds as long as a listing, and no longer."""
    store = Store()
    for _ in range(2):
        with pytest.raises(UserNotFoundError):
            listed(listings_of(github, TRUSTING, store))
    assert len(github.requests) == 1
    user = with_gists(github, 1)
    assert ids(listings_of(github, ASK_ALWAYS, store)) == true_ids(user)


def test_a_user_who_is_gone_is_remembered(github: FakeGithub) -> None:
    """A known listing does not outlive its user."""
    with_gists(github, 150)
    store = Store()
    listed(listings_of(github, store=store))
    del github.world.users["octocat"]
    with pytest.raises(UserNotFoundError):
        listed(listings_of(github, Freshness(0, stale_seconds=600), store))
    github.forget()
    with pytest.raises(UserNotFoundError):
        listed(listings_of(github, TRUSTING, store))
    assert github.requests == []


def test_an_old_listing_stands_in_for_a_github_that_is_away(github: FakeGithub) -> None:
    """It says how old it is; where none may be so old, the failure is told."""
    with_gists(github, 150)
    store = Store()
    first = listed(listings_of(github, store=store))
    with github.refusing("api"):
        stale = pages(listings_of(github, Freshness(0, stale_seconds=600), store))
        with pytest.raises(GithubError, match="could not be read"):
            list(listings_of(github, ASK_ALWAYS, store).pages("octocat", Deadline(1)))
    assert [gist for page in stale for gist in page.gists] == first
    assert all(page.stale_seconds is not None and page.stale_seconds < 60 for page in stale)


def test_an_old_listing_stands_in_for_a_limited_github(github: FakeGithub) -> None:
    """Whose requests are used up still gets an answer."""
    with_gists(github, 3)
    store = Store()
    first = listed(listings_of(github, store=store))
    github.rate_limit.use_up()
    stale = pages(listings_of(github, Freshness(0, stale_seconds=600), store))
    assert [gist for page in stale for gist in page.gists] == first
    assert stale[0].stale_seconds is not None


@pytest.mark.parametrize("stored", [b"", b"garbage", b"\x00" * 100])
def test_what_the_store_spoiled_is_asked_for(github: FakeGithub, stored: bytes) -> None:
    """Bytes that are no listing are none."""
    user = with_gists(github, 2)
    store = Store()
    listings = listings_of(github, TRUSTING, store)
    ids(listings)
    (key,) = store
    store[key] = stored
    assert ids(listings) == true_ids(user)


def test_what_was_not_read_whole_is_not_kept(github: FakeGithub) -> None:
    """A caller who stops, and a list that breaks, leave nothing behind."""
    with_gists(github, 250)
    store = Store()
    some = listings_of(github, store=store).pages("octocat", Deadline(30))
    next(some)
    del some
    github.faults.inject(Fault(answer=answers.not_found()), path="page=3")
    with pytest.raises(GithubError):
        listed(listings_of(github, store=store))
    assert store == {}


def test_confirming_can_be_called_off(github: FakeGithub) -> None:
    """All requests for known pages end with the work."""
    with_gists(github, 250)
    listings = listings_of(github)
    listed(listings)
    github.faults.inject(Fault(held=threading.Event()))
    deadline = Deadline(3600)
    threading.Timer(0.3, deadline.cancel).start()
    with pytest.raises(CancelledError):
        list(listings.pages("octocat", deadline))
    github.wait_quiet()
