"""A user's gists, page by page: requested from GitHub, and stored."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import pytest

from gistapi.errors import GithubError, GithubRateLimitedError, UserNotFoundError
from gistapi.events import CacheRead, Event
from gistapi.github import bodies, listing, page_reader
from gistapi.github.bodies import JsonBody
from gistapi.github.chain import AT_ONCE, IDLE_PAGES
from gistapi.github.freshness import Freshness
from gistapi.github.listing_codec import PIECE_FILES, StoredPage, pack, unpack
from gistapi.models import Gist, GistFile, Page, Target
from tests.fake_github import FakeGithub, Fault, Literal, Request, Response, User, answers
from tests.fake_github.message import from_json
from tests.github.asking import Store, on_loop, scope_of, user_of
from tests.github.listings import (
    ASK_ALWAYS,
    FIRST,
    OCTOCAT,
    TRUSTING,
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
from tests.waiting import HANG_SECONDS, until

# fresh listings


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (1, 1), (100, 1), (101, 2), (350, 4)])
@on_loop
async def test_every_gist_is_listed(github: FakeGithub, count: int, requests: int) -> None:
    """All pages are read, in order, each once."""
    user = with_gists(github, count)
    assert await ids(listings_of(github)) == true_ids(user)
    assert len(github.requests) == requests


@on_loop
async def test_pages_overlap(github: FakeGithub) -> None:
    """The next page has the address that GitHub names, with numbers chosen to overlap."""
    with_gists(github, 250)
    await listed(listings_of(github))
    assert targets(github) == [
        FIRST,
        "/user/1/gists?per_page=99&page=2",
        "/user/1/gists?per_page=98&page=3",
    ]
    for request in github.requests:
        assert request.headers["accept"] == "application/vnd.github+json"
        assert request.headers["x-github-api-version"] == "2022-11-28"
        assert request.headers["user-agent"] == "gistapi"


@on_loop
async def test_a_relative_link_is_followed(github: FakeGithub) -> None:
    """`Link` is relative to the page that has it (RFC 8288)."""
    user = with_gists(github, 1)
    more = {"Link": '</users/octocat/gists?page=1>; rel="next"'}
    github.faults.inject(Fault(answer=from_json(200, [], more)), times=1)
    assert await ids(listings_of(github)) == true_ids(user)


@on_loop
async def test_many_secret_gists_do_not_end_the_list(github: FakeGithub) -> None:
    """A page without a public gist is followed by the next one (fault A10)."""
    user = with_gists(github, 5)
    with_gists(github, 100 * (IDLE_PAGES + 2), public=False)
    assert await ids(listings_of(github, token="canary")) == true_ids(user)


@on_loop
async def test_gists_of_another_user_are_never_listed(github: FakeGithub) -> None:
    """Gists of another user are an error, and are not stored (fault A1)."""
    with_gists(github, 2)
    other = github.add_user("other")
    other.add_gist({"a.py": "x"})
    foreign = github.api.respond

    def swapped(request: Request) -> Response:
        request.target = request.target.replace("octocat", "other")
        return foreign(request)

    github.faults.inject(Fault(answer=swapped))
    store = Store()
    with pytest.raises(GithubError, match="another user"):
        await listed(listings_of(github, store=store))
    assert store == {}


@on_loop
async def test_gists_without_an_address_are_counted(github: FakeGithub) -> None:
    """Gists without an address cannot be named, so their number is reported."""
    user = with_gists(github, 1)
    user.add_gist(listed=lambda entry: entry | {"html_url": None})
    assert sum(page.unreadable for page in await pages(listings_of(github))) == 1


@pytest.mark.parametrize("count", [3, 40, 100])
@on_loop
async def test_a_server_that_repeats_one_page(github: FakeGithub, count: int) -> None:
    """Nobody can know whether there are more entries, so the list is not reported as complete."""
    user = with_gists(github, count)
    link = {"Link": f'<{github.api_url}{FIRST}&page=2>; rel="next"'}
    entries = [{"id": g.id, "html_url": g.html_url, "public": True} for g in user.in_order()]
    github.faults.inject(Fault(answer=from_json(200, entries, link)))
    with pytest.raises(GithubError, match="in circles"):
        await ids(listings_of(github))
    assert len(github.requests) <= 1 + IDLE_PAGES + AT_ONCE


@pytest.mark.parametrize("size", [2, 30])
@on_loop
async def test_a_server_with_pages_of_its_own_size(github: FakeGithub, size: int) -> None:
    """Where `per_page` is ignored, the server's own links are followed."""
    user = with_gists(github, 75)

    def own_size(request: Request) -> Response:
        query = request.query | {"per_page": str(size)}
        request.target = f"{request.path}?" + "&".join(f"{k}={v}" for k, v in query.items())
        return github.api.respond(request)

    github.faults.inject(Fault(answer=own_size))
    assert await ids(listings_of(github)) == true_ids(user)


@on_loop
async def test_a_list_of_huge_gists_is_read_in_small_pages(github: FakeGithub) -> None:
    """Pages over 1 MiB are requested with fewer entries; everything is listed (fault D3)."""
    user = user_of(github)
    for _ in range(25):
        user.add_gist({f"{number}.txt": "x" for number in range(300)})
    found = await pages(listings_of(github))
    assert [gist.id for page in found for gist in page.gists] == true_ids(user)
    assert max(sum(len(gist.files) for gist in page.gists) for page in found) <= 600
    assert [target.split("&")[0] for target in targets(github)[:3]] == [
        FIRST,
        "/users/octocat/gists?per_page=30",
        "/users/octocat/gists?per_page=11",
    ]


# lists that change while they are read


@pytest.mark.parametrize("deleted", [0, 50, 99, 100, 150, 197, 300])
@pytest.mark.parametrize("after", [1, 2, 3])
@on_loop
async def test_a_deletion_hides_no_other_gist(github: FakeGithub, deleted: int, after: int) -> None:
    """Deleting five gists of any page after any answer costs at most two requests (A4)."""
    user = with_gists(github, 350)
    gone = user.in_order()[deleted : deleted + 5]

    def delete(_: Request) -> None:
        if len(github.requests) == after + 1:
            while gone:
                gone.pop().delete()

    github.on_request(delete)
    found = await ids(listings_of(github))
    assert set(true_ids(user)) <= set(found)
    assert len(github.requests) <= 4 + 2


@on_loop
async def test_additions_cost_nothing(github: FakeGithub) -> None:
    """If a gist is added before each answer, no page is read twice (B5)."""
    user = with_gists(github, 350)
    before = true_ids(user)
    github.on_request(lambda _: grow(user, 1))
    store = Store()
    assert set(before) <= set(await ids(listings_of(github, store=store)))
    assert len(github.requests) == 4
    assert len(store) == 4


@pytest.mark.parametrize("seed", range(10))
@on_loop
async def test_a_list_that_changes_while_it_is_read(github: FakeGithub, seed: int) -> None:
    """Every lasting gist is listed once, while others are added and deleted anywhere."""
    user = with_gists(github, 550)
    drawn = random.Random(seed)

    def change(_: Request) -> None:
        for _change in range(drawn.randrange(16)):
            if drawn.random() < 0.2:
                user.add_gist()
            else:
                drawn.choice(user.gists[-250:]).delete()

    before = set(true_ids(user))
    github.on_request(change)
    found = await ids(listings_of(github))
    assert before & set(true_ids(user)) <= set(found)
    assert len(github.requests) <= 24


# errors


@on_loop
async def test_an_unknown_user(github: FakeGithub) -> None:
    """A 404 is not retried, and the error says that there is no such user."""
    with pytest.raises(UserNotFoundError, match="no such user"):
        await listed(listings_of(github), Target("username", "nobody"))
    assert len(github.requests) == 1


@on_loop
async def test_a_404_of_a_later_page_is_no_unknown_user(github: FakeGithub) -> None:
    """The error says that the list broke off."""
    with_gists(github, 150)
    github.faults.inject(Fault(answer=answers.not_found()), path="page=2")
    with pytest.raises(GithubError, match="broke off") as raised:
        await listed(listings_of(github))
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
@on_loop
async def test_a_refusal_is_reported_with_githubs_message(
    github: FakeGithub, refusal: Response, words: str
) -> None:
    """A refusal is not retried."""
    github.faults.inject(Fault(answer=refusal))
    with pytest.raises(GithubError, match=words):
        await listed(listings_of(github))
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
@on_loop
async def test_one_failure_is_retried(github: FakeGithub, fault: Fault) -> None:
    """The page is requested again, and the list is complete."""
    user = with_gists(github, 3)
    rule = github.faults.inject(fault, times=1)
    assert await ids(listings_of(github)) == true_ids(user)
    assert (rule.hits, len(github.requests)) == (1, 2)


@on_loop
async def test_a_lasting_failure_is_reported(github: FakeGithub) -> None:
    """After four attempts the error says what GitHub does."""
    rule = github.faults.inject(Fault(answer=HTML))
    with pytest.raises(GithubError, match="GitHub answered something that is not JSON"):
        await listed(listings_of(github))
    assert rule.hits == 4


@on_loop
async def test_a_failing_first_page_is_requested_smaller(github: FakeGithub) -> None:
    """A list that takes GitHub too long is read in smaller pages."""
    user = with_gists(github, 70)
    github.faults.inject(Fault(answer=answers.server_error(502)), path="per_page=100")
    assert await ids(listings_of(github)) == true_ids(user)
    assert targets(github)[:4] == [
        FIRST,
        FIRST,
        FIRST[:-3] + "30",
        "/user/1/gists?per_page=29&page=2",
    ]


@on_loop
async def test_a_failing_later_page_is_requested_smaller(github: FakeGithub) -> None:
    """The pages after it are smaller too, and still overlap."""
    user = with_gists(github, 250)
    github.faults.inject(Fault(answer=answers.server_error(502)), path="per_page=9")
    assert await ids(listings_of(github)) == true_ids(user)
    assert targets(github)[-1].startswith("/user/1/gists?per_page=2")


@on_loop
async def test_a_short_limit_is_waited_for(github: FakeGithub) -> None:
    """The listing continues if the limit ends before the deadline."""
    user = with_gists(github, 1)
    limited = answers.secondary_limit(403, retry_after="1")
    github.faults.inject(Fault(answer=limited), times=1)
    assert await ids(listings_of(github)) == true_ids(user)
    first, second = github.requests
    assert second.started - first.started >= 1


@on_loop
async def test_a_limit_beyond_the_deadline_is_reported(github: FakeGithub) -> None:
    """The error says how long to wait, and no further request is sent."""
    github.rate_limit.use_up()
    with_gists(github, 1)
    listings = listings_of(github)
    for _ in range(2):
        with pytest.raises(GithubRateLimitedError) as raised:
            await listed(listings)
        assert raised.value.retry_after_seconds == pytest.approx(3600, abs=60)
    assert len(github.requests) == 1


@on_loop
async def test_closing_ends_the_requests(github: FakeGithub) -> None:
    """Prefetched pages are cancelled with the search."""
    with_gists(github, 550)
    github.faults.inject(Fault(latency_seconds=3600), path="page=4")
    async with aclosing(listings_of(github).pages(OCTOCAT, scope_of())) as found:
        await anext(found)
        await anext(found)
        await asyncio.to_thread(until, lambda: len(github.requests) == 1 + AT_ONCE)
    await asyncio.to_thread(github.wait_quiet)


# stored listings


@on_loop
async def test_a_fresh_listing_is_not_requested(github: FakeGithub) -> None:
    """Within its TTL a stored listing is used, in whatever case the login is; reads are counted."""
    seen: list[Event] = []
    with_gists(github, 150)
    listings = listings_of(github, TRUSTING, observe=seen.append)
    first = await listed(listings)
    github.forget()
    seen.clear()
    assert await listed(listings) == await listed(listings, Target("username", "OctoCat")) == first
    assert github.requests == []
    assert {event.hits for event in seen if isinstance(event, CacheRead)} <= {0, 1}


@on_loop
async def test_a_fresh_listing_is_in_memory(github: FakeGithub) -> None:
    """The store is read once while a list is trusted; then it may have a newer one."""
    user = with_gists(github, 250)
    clock, store = Clock(), CountingStore()
    writing = listings_of(github, TRUSTING, store, clock=clock)
    await listed(writing)
    reading = listings_of(github, TRUSTING, store, clock=clock)
    await listed(reading)
    before = store.reads
    assert await ids(reading) == true_ids(user)
    assert store.reads == before
    clock.now += TRUSTING.ttl_seconds
    turn_to_now(github)
    user.add_gist()
    assert await ids(writing) == true_ids(user)
    github.forget()
    assert await ids(reading) == true_ids(user)
    assert github.requests == []


class CountingStore(Store):
    """Counts how often it is read."""

    reads = 0

    def get_listing(self, key: str) -> bytes | None:
        """Return what was put under `key`."""
        self.reads += 1
        return super().get_listing(key)


@on_loop
async def test_the_memory_for_listings_is_bounded(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that is too large for it is read from the store each time."""
    monkeypatch.setattr(page_reader, "RECENT_BYTES", 5_000)
    with_gists(github, 100)
    github.add_user("few").add_gist({"a": "x"})
    store = CountingStore()
    listings = listings_of(github, TRUSTING, store)
    for target, most in ((OCTOCAT, 3), (Target("username", "few"), 1)):
        before = store.reads
        for _ in range(3):
            await listed(listings, target)
        assert store.reads - before == most


@on_loop
async def test_an_old_listing_is_revalidated_page_by_page(github: FakeGithub) -> None:
    """If nothing changed, each page gets one conditional request, answered by 304."""
    with_gists(github, 350)
    listings = listings_of(github)
    first = await listed(listings)
    github.forget()
    assert await listed(listings) == first
    assert [request.status for request in github.requests] == [304] * 4
    assert all("if-none-match" in request.headers for request in github.requests)


@on_loop
async def test_pages_are_requested_concurrently(github: FakeGithub) -> None:
    """Pages known to exist do not wait for one another, stored or not."""
    with_gists(github, 550)
    listings = listings_of(github)

    def are_asked() -> bool:
        return github.traffic["api"].peak_in_flight == AT_ONCE

    for _ in range(2):
        github.forget()
        gate = threading.Event()
        rule = github.faults.inject(Fault(held=gate), path=lambda asked: "&page=" in asked.target)
        reading = asyncio.create_task(listed(listings))
        await asyncio.to_thread(until, are_asked)
        gate.set()
        await reading
        github.faults.remove(rule)
        assert are_asked()


@on_loop
async def test_few_bodies_are_in_memory_until_they_are_parsed(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever lists: others' answers wait in their sockets while parsing falls behind."""
    monkeypatch.setattr(bodies, "AT_ONCE", 3)
    gate = threading.Event()
    filled, read = page_reader._filled, JsonBody.read
    complete: list[JsonBody] = []

    def held(*given: Any) -> StoredPage:
        assert gate.wait(HANG_SECONDS)
        return filled(*given)

    async def counting(body: JsonBody, *given: Any, **options: Any) -> None:
        await read(body, *given, **options)
        complete.append(body)

    monkeypatch.setattr(page_reader, "_filled", held)
    monkeypatch.setattr(JsonBody, "read", counting)
    for number in range(12):
        github.add_user(f"user{number}").add_gist()
    listings = listings_of(github)
    users = [Target("username", f"user{number}") for number in range(12)]
    reading = [asyncio.create_task(listed(listings, user)) for user in users]
    await asyncio.to_thread(until, lambda: len(github.requests) == 12 and len(complete) == 3)
    for _ in range(100):  # rounds of the loop in which others could be read
        await asyncio.sleep(0)
    assert len(complete) == 3
    gate.set()
    assert [len(gists) for gists in await asyncio.gather(*reading)] == [1] * 12


@on_loop
async def test_a_page_of_many_files_is_not_unpacked_on_the_loop(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All changes since a list was read are needed at once: as many as a page may have."""
    threads: list[str] = []

    def noting(piece: bytes) -> tuple[Gist, ...]:
        threads.append(threading.current_thread().name)
        return unpack(piece)

    monkeypatch.setattr(page_reader, "unpack", noting)
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    file = GistFile("a", None, None, None, None)
    gist = Gist("a", "u", None, moment, moment, (file,) * 300, truncated=False, git_pull_url=None)
    reader = listings_of(github)._reader
    for count in (1, 2):
        page = StoredPage("u", 0.0, pieces=pack([gist] * count))
        assert await reader.gists(page, scope_of().lane) == (gist,) * count
    assert threads[0] == threading.current_thread().name
    assert [name.startswith("gistapi-listing") for name in threads[1:]] == [True, True]


@on_loop
async def test_parts_of_long_lists_take_turns(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many read at once, a round of the loop has one of their parts after the first."""
    user = user_of(github)
    for _ in range(5):
        user.add_gist({f"{number}.txt": "" for number in range(PIECE_FILES)})
    listings = listings_of(github, TRUSTING)
    await listed(listings)
    rounds = 0
    parts: dict[object, list[int]] = {}

    def noting(piece: bytes) -> tuple[Gist, ...]:
        parts.setdefault(asyncio.current_task(), []).append(rounds)
        return unpack(piece)

    monkeypatch.setattr(listing, "unpack", noting)
    reading = [asyncio.create_task(listed(listings)) for _ in range(4)]
    while not all(task.done() for task in reading):
        await asyncio.sleep(0)
        rounds += 1
    assert [len(of_one) for of_one in parts.values()] == [5] * 4
    later = [number for of_one in parts.values() for number in of_one[1:]]
    assert len(set(later)) == len(later)


@on_loop
async def test_pages_without_etags_are_requested_again(github: FakeGithub) -> None:
    """Without an ETag a page cannot be revalidated."""
    user = with_gists(github, 2)
    entries = [{"id": g.id, "html_url": g.html_url, "public": True} for g in user.in_order()]
    github.faults.inject(Fault(answer=from_json(200, entries)))
    listings = listings_of(github)
    assert await ids(listings) == await ids(listings) == true_ids(user)
    assert not any("if-none-match" in request.headers for request in github.requests)


def grow(user: User, count: int) -> None:
    """Add gists at the top of the list."""
    for _ in range(count):
        user.add_gist()


def shrink(user: User, first: int, end: int) -> None:
    """Delete the gists between two positions."""
    for gist in user.in_order()[first:end]:
        gist.delete()


CHANGES: dict[str, Callable[[User], None]] = {
    "a new one": lambda user: grow(user, 1),
    "a page more": lambda user: grow(user, 120),
    "a page less": lambda user: shrink(user, 0, 120),
    "the newest gone": lambda user: shrink(user, 0, 1),
    "one in the middle gone": lambda user: shrink(user, 120, 121),
    "the oldest gone": lambda user: shrink(user, 249, 250),
    "all but one gone": lambda user: shrink(user, 1, 250),
    "all gone": lambda user: shrink(user, 0, 250),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@on_loop
async def test_a_change_is_listed(github: FakeGithub, change: Callable[[User], None]) -> None:
    """The listing is GitHub's current one, and is stored."""
    user = with_gists(github, 250)
    store = Store()
    listings = listings_of(github, store=store)
    await ids(listings)
    change(user)
    assert await ids(listings) == true_ids(user)
    github.forget()
    assert await ids(listings_of(github, TRUSTING, store)) == true_ids(user)
    assert github.requests == []


@on_loop
async def test_an_edit_is_listed(github: FakeGithub) -> None:
    """The gist is listed with its new files."""
    gist = user_of(github).add_gist({"a": "old"})
    listings = listings_of(github)
    (before,) = await listed(listings)
    gist.edit({"a": "new", "b": "beside"})
    (after,) = await listed(listings)
    assert [file.name for file in after.files] == ["a", "b"]
    assert after.files[0].blob_sha != before.files[0].blob_sha
    assert after.updated_at > before.updated_at


@on_loop
async def test_a_list_that_exceeds_a_deadline_is_continued(github: FakeGithub) -> None:
    """The next search does not request the pages again that this one has read (fault B5)."""
    user = with_gists(github, 950)
    store = Store()
    searches = 0
    last = False
    found: list[Page] = []
    while not last and searches < 10:
        searches += 1
        found.clear()
        before = len(github.requests)
        async with aclosing(listings_of(github, TRUSTING, store).pages(OCTOCAT, scope_of())) as it:
            async for page in it:
                found.append(page)
                last = page.last
                if len(github.requests) >= before + 3:
                    break  # its deadline
    assert [gist.id for page in found for gist in page.gists] == true_ids(user)
    assert searches > 1
    assert targets(github).count(FIRST) == 1


@on_loop
async def test_an_unknown_user_is_remembered(github: FakeGithub) -> None:
    """A 404 is stored for the TTL of a listing."""
    store = Store()
    for _ in range(2):
        with pytest.raises(UserNotFoundError):
            await listed(listings_of(github, TRUSTING, store))
    assert len(github.requests) == 1
    user = with_gists(github, 1)
    assert await ids(listings_of(github, ASK_ALWAYS, store)) == true_ids(user)


@on_loop
async def test_a_deleted_user_is_remembered(github: FakeGithub) -> None:
    """The stored listing is dropped with its user."""
    with_gists(github, 150)
    store = Store()
    await listed(listings_of(github, store=store))
    del github.world.users["octocat"]
    with pytest.raises(UserNotFoundError):
        await listed(listings_of(github, Freshness(0, 600, 0), store))
    github.forget()
    with pytest.raises(UserNotFoundError):
        await listed(listings_of(github, TRUSTING, store))
    assert github.requests == []


@on_loop
async def test_an_old_listing_replaces_an_unavailable_github(github: FakeGithub) -> None:
    """The old listing has its age; if stale listings are not allowed, the failure is reported."""
    with_gists(github, 150)
    store, clock = Store(), Clock()
    first = await listed(listings_of(github, store=store, clock=clock))
    clock.now += 500
    with github.refusing("api"):
        stale = await pages(listings_of(github, Freshness(0, 600), store, clock=clock))
        with pytest.raises(GithubError, match="refused"):
            await pages(listings_of(github, Freshness(0, 400), store, clock=clock), seconds=1)
    assert [gist for page in stale for gist in page.gists] == first
    for page in stale:
        assert page.stale_seconds == page.age_seconds == pytest.approx(500, abs=1)


@on_loop
async def test_an_old_listing_replaces_a_limited_github(github: FakeGithub) -> None:
    """A search is answered although the budget is spent."""
    with_gists(github, 3)
    store = Store()
    first = await listed(listings_of(github, store=store))
    github.rate_limit.use_up()
    stale = await pages(listings_of(github, Freshness(0, 600, 0), store))
    assert [gist for page in stale for gist in page.gists] == first
    assert stale[0].stale_seconds is not None


@on_loop
async def test_a_page_from_the_future_is_not_used(github: FakeGithub) -> None:
    """The clock may have been set back since it was stored."""
    user = with_gists(github, 2)
    store, clock = Store(), Clock()
    await ids(listings_of(github, TRUSTING, store, clock=clock))
    user.add_gist()
    clock.now -= 1
    assert await ids(listings_of(github, TRUSTING, store, clock=clock)) == true_ids(user)


@pytest.mark.parametrize("stored", [b"", b"garbage", b"\x00" * 100])
@on_loop
async def test_a_damaged_listing_is_requested_again(github: FakeGithub, stored: bytes) -> None:
    """Stored bytes that are no listing are ignored."""
    user = with_gists(github, 2)
    store = Store()
    listings = listings_of(github, TRUSTING, store)
    await ids(listings)
    (key,) = store
    store[key] = stored
    assert await ids(listings) == true_ids(user)


@on_loop
async def test_searches_of_one_user_share_requests(github: FakeGithub) -> None:
    """Each page is requested once, however many searches need it at the same time."""
    user = with_gists(github, 250)
    listings = listings_of(github, TRUSTING)
    found = await asyncio.gather(*(ids(listings) for _ in range(20)))
    assert all(each == true_ids(user) for each in found)
    assert len(github.requests) == 3
