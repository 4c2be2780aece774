"""Lists other than a user's gists: an organization's members, single gists, the caller's own."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gistapi.errors import GithubError, UnauthorizedError, UserNotFoundError
from gistapi.github.listing import Listings
from gistapi.models import Target
from tests.fake_github import FakeGithub, Fault, Request, Response, answers
from tests.fake_github.message import from_json
from tests.github.asking import Store, on_loop, scope_of, user_of
from tests.github.listings import (
    ASK_ALWAYS,
    OCTOCAT,
    TRUSTING,
    Clock,
    ids,
    listed,
    listings_of,
    targets,
    true_ids,
    with_gists,
)

MINE, STARRED = Target("mine"), Target("starred")


async def members(listings: Listings, name: str = "acme", token: str | None = None) -> list[str]:
    """The logins of an organization's members."""
    return [login async for login in listings.members(name, scope_of(caller_token=token))]


def with_members(github: FakeGithub, count: int) -> list[str]:
    """Add the organization `acme` with public members; returns their logins."""
    acme = github.world.add_organization("acme")
    for number in range(count):
        acme.add(github.add_user(f"member-{number}"))
    return [f"member-{number}" for number in range(count)]


# an organization's members


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (3, 1), (250, 3)])
@on_loop
async def test_every_member_is_listed(github: FakeGithub, count: int, requests: int) -> None:
    """All pages are read; within the TTL a stored list is used, as for a user."""
    logins = with_members(github, count)
    store = Store()
    for _ in range(2):
        assert await members(listings_of(github, TRUSTING, store)) == logins
    assert len(github.requests) == requests
    assert targets(github)[0] == "/orgs/acme/members?per_page=100"


@on_loop
async def test_concealed_members_are_listed_for_members(github: FakeGithub) -> None:
    """A request with a member's token lists concealed members, for that member alone."""
    with_members(github, 2)
    insider = github.add_user("insider")
    github.world.organizations["acme"].add(insider, public=False)
    github.api.grant("canary-token", insider)
    listings = listings_of(github, TRUSTING)
    assert await members(listings, token="canary-token") == ["member-0", "member-1", "insider"]
    assert await members(listings) == ["member-0", "member-1"]


@on_loop
async def test_older_servers_redirect_outsiders(github: FakeGithub) -> None:
    """The redirect to the public members is followed on all pages."""
    logins = with_members(github, 150)
    github.api.members_redirect = True
    assert await members(listings_of(github)) == logins


@on_loop
async def test_a_member_who_leaves_hides_no_other(github: FakeGithub) -> None:
    """Everybody who stays a member is listed."""
    logins = with_members(github, 250)
    leaving = [github.world.users[login] for login in logins[:10]]
    acme = github.world.organizations["acme"]

    def leave(_: object) -> None:
        if len(github.requests) == 2:
            while leaving:
                acme.remove(leaving.pop())

    github.on_request(leave)
    assert set(logins[10:]) <= set(await members(listings_of(github)))


@on_loop
async def test_an_unknown_organization(github: FakeGithub) -> None:
    """A 404 is reported, and stored as for a user."""
    store = Store()
    for _ in range(2):
        with pytest.raises(UserNotFoundError, match="no such organization"):
            await members(listings_of(github, TRUSTING, store), "nobody")
    assert len(github.requests) == 1


# single gists


@pytest.mark.parametrize("public", [True, False])
@on_loop
async def test_a_gist_is_found_by_its_id(github: FakeGithub, public: bool) -> None:  # noqa: FBT001 - a case
    """Secret gists are included: a caller who knows the address may read the gist."""
    gist = user_of(github).add_gist({"a.py": "x", "b.py": "y"}, public=public)
    listings = listings_of(github, TRUSTING)
    (found,) = await listed(listings, Target("gist", gist.id))
    assert [file.name for file in found.files] == ["a.py", "b.py"]
    assert found.files[0].blob_sha == gist.files["a.py"].sha
    assert found.html_url == gist.html_url
    assert await listed(listings, Target("gist", gist.id)) == [found]
    assert targets(github) == [f"/gists/{gist.id}"]


@on_loop
async def test_a_gist_is_revalidated_by_its_etag(github: FakeGithub) -> None:
    """An edit changes the ETag."""
    gist = user_of(github).add_gist({"a.py": "x"})
    listings = listings_of(github, ASK_ALWAYS)
    first = await listed(listings, Target("gist", gist.id))
    assert await listed(listings, Target("gist", gist.id)) == first
    gist.edit({"a.py": "y"})
    assert await listed(listings, Target("gist", gist.id)) != first
    assert [request.status for request in github.requests] == [200, 304, 200]


@on_loop
async def test_the_contents_of_a_single_gist_are_discarded(github: FakeGithub) -> None:
    """The API sends up to 1 MB of each file: 18 MB here, of which the names are kept."""
    content = "é" * 300_000
    gist = user_of(github).add_gist({f"{number}.txt": content for number in range(10)})
    store = Store()
    (found,) = await listed(listings_of(github, store=store), Target("gist", gist.id))
    assert {file.size_bytes for file in found.files} == {len(content.encode())}
    assert len(found.files) == 10
    assert sum(map(len, store.values())) < 20_000


@on_loop
async def test_an_unknown_gist(github: FakeGithub) -> None:
    """The error of a 404 names what is missing; other errors have GitHub's message."""
    with pytest.raises(UserNotFoundError, match="no such gist"):
        await listed(listings_of(github), Target("gist", "6cad326836d38bd3a7ae"))
    github.faults.inject(Fault(answer=answers.blocked(403)))
    with pytest.raises(GithubError, match=r"403: Repository access blocked \(dmca\)"):
        await listed(listings_of(github), Target("gist", "1"))


@on_loop
async def test_another_gist_is_never_listed(github: FakeGithub) -> None:
    """An answer with another gist than requested is an error, and is not stored."""
    gist, other = (user_of(github).add_gist({"a.py": text}) for text in ("x", "y"))
    listings = listings_of(github, TRUSTING)

    def of_the_other(request: Request) -> Response:
        return github.api.respond(replace(request, target=f"/gists/{other.id}"))

    github.faults.inject(Fault(answer=of_the_other), times=1)
    with pytest.raises(GithubError, match="another gist than the one asked for"):
        await listed(listings, Target("gist", gist.id))
    assert await ids(listings, Target("gist", gist.id)) == [gist.id]


@on_loop
async def test_an_answer_that_is_no_gist(github: FakeGithub) -> None:
    """A list in place of a gist is an error."""
    github.faults.inject(Fault(answer=from_json(200, [])))
    with pytest.raises(GithubError, match="not a gist"):
        await listed(listings_of(github), Target("gist", "1"))


# the caller's own


@on_loop
async def test_the_callers_own_gists_are_listed(github: FakeGithub) -> None:
    """Public and secret ones of the token's owner, with the caching of any other list."""
    user = with_gists(github, 120)
    with_gists(github, 30, public=False)
    github.add_user("other").add_gist()
    github.api.grant("canary-token", user)
    everything = [gist.id for gist in user.in_order()]
    assert await ids(listings_of(github), MINE, "canary-token") == everything
    assert targets(github) == ["/gists?per_page=100", "/gists?per_page=99&page=2"]
    assert {request.headers["authorization"] for request in github.requests} == {
        "Bearer canary-token"
    }


@on_loop
async def test_starred_gists_are_listed(github: FakeGithub) -> None:
    """Starred gists may be anyone's; GitHub lists the newest star first; times are put in order."""
    user, other = user_of(github), github.add_user("other")
    user.starred = [other.add_gist(), user.add_gist(public=False), other.add_gist()]
    github.api.grant("canary-token", user)
    found = await ids(listings_of(github), STARRED, "canary-token")
    assert found == [gist.id for gist in user.starred[::-1]]


@pytest.mark.parametrize("target", [MINE, STARRED])
@on_loop
async def test_without_the_callers_token_no_request_is_sent(
    github: FakeGithub, target: Target
) -> None:
    """The service's token would list its own gists, and no token everybody's."""
    for token in (None, "service-token"):
        with pytest.raises(UnauthorizedError, match="X-GitHub-Token"):
            await listed(listings_of(github, token=token), target)
    assert github.requests == []


@pytest.mark.parametrize("target", [MINE, STARRED])
@on_loop
async def test_a_token_without_scope(github: FakeGithub, target: Target) -> None:
    """GitHub answers 404; the error names the missing scope."""
    github.api.grant("canary-token", user_of(github), gist=False)
    with pytest.raises(UnauthorizedError, match="scope `gist`"):
        await listed(listings_of(github), target, "canary-token")


@pytest.mark.parametrize("target", [OCTOCAT, MINE, STARRED, Target("gist", "1")])
@on_loop
async def test_a_token_that_github_refuses(github: FakeGithub, target: Target) -> None:
    """A 401 for the caller's token is the caller's error, for the service's token GitHub's."""
    github.api.tokens = set()
    with pytest.raises(UnauthorizedError, match="refused the token"):
        await listed(listings_of(github), target, "canary-token")
    with pytest.raises(GithubError, match="401: Bad credentials"):
        await listed(listings_of(github, token="service-token"))


@on_loop
async def test_callers_do_not_share_private_lists(github: FakeGithub) -> None:
    """A list read with one token is not shown to another, nor to callers without one."""
    user, other = with_gists(github, 3), github.add_user("other")
    with_gists(github, 2, public=False)
    other.add_gist(public=False)
    github.api.grant("canary-one", user)
    github.api.grant("canary-two", other)
    store = Store()
    listings = listings_of(github, TRUSTING, store)
    own = [gist.id for gist in user.in_order()]
    for _ in range(2):
        assert await ids(listings, MINE, "canary-one") == own
        assert await ids(listings, MINE, "canary-two") == [other.gists[0].id]
        assert await ids(listings, OCTOCAT, "canary-one") == true_ids(user)
        assert await ids(listings, OCTOCAT) == true_ids(user)
    assert len(github.requests) == 4
    assert "canary" not in json.dumps(list(store))


@on_loop
async def test_an_edit_of_a_secret_gist_is_listed(github: FakeGithub) -> None:
    """The caller's own list is updated as a user's is."""
    user = with_gists(github, 150, public=False)
    github.api.grant("canary-token", user)
    clock = Clock()
    listings = listings_of(github, TRUSTING, clock=clock)
    await ids(listings, MINE, "canary-token")
    github.forget()
    clock.now += 601
    assert len(await ids(listings, MINE, "canary-token")) == 150
    assert [request.status for request in github.requests] == [304, 304]
