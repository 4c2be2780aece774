"""Git's smart HTTP to GitHub: requests, refusals and retries."""

from __future__ import annotations

import asyncio
import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gistapi.errors import (
    GithubError,
    GithubRateLimitedError,
    GoneError,
)
from gistapi.events import Event, GithubRequestEnded
from gistapi.github.git.clone import CLONES_AT_ONCE, Clones
from tests.fake_github import FakeGithub, Fault, Literal, Request, Response
from tests.github.asking import on_loop, open_client
from tests.github.git.cloning import client, contents, reason, url

FILES = {"a.txt": "alpha", "b.txt": "beta"}
READ = {"a.txt": b"alpha", "b.txt": b"beta"}


@pytest.fixture
def clones(github: FakeGithub) -> Clones:
    """Return clones of the fake GitHub's gists."""
    return Clones(client(github.raw_host))


def is_post(request: Request) -> bool:
    """Whether a request is for the pack."""
    return request.method == "POST"


@on_loop
async def test_requests_look_like_gits_and_have_no_credentials(github: FakeGithub) -> None:
    """Each has git's User-Agent and no token or cookie, and is observed; the pack has depth 1."""
    events: list[Event] = []
    gist = github.add_user("o").add_gist(FILES)
    assert (
        await contents(Clones(client(github.raw_host, observe=events.append)), url(github, gist))
        == READ
    )
    requests = github.requests_to("git")
    assert [request.method for request in requests] == ["GET", "POST"]
    for request in requests:
        assert request.headers["user-agent"].startswith("git/")
        assert not {"authorization", "cookie"} & set(request.headers)
    assert b"deepen 1\n" in requests[-1].body
    ended = [event for event in events if isinstance(event, GithubRequestEnded)]
    assert [(event.kind, event.status, event.error) for event in ended] == [("git", 200, None)] * 2
    assert all(event.size_bytes > 0 for event in ended)


@on_loop
async def test_a_gist_without_a_commit_has_no_files(github: FakeGithub, clones: Clones) -> None:
    """An empty repository has no files, and no pack is requested."""
    assert await contents(clones, url(github, github.add_user("o").add_gist())) == {}
    assert not any(map(is_post, github.requests))


@on_loop
async def test_a_deleted_gist_is_gone(github: FakeGithub, clones: Clones) -> None:
    """A 404 is not a gap."""
    with pytest.raises(GoneError):
        await contents(clones, f"{github.raw_url}/0123.git")


@pytest.mark.parametrize("status", [401, 403, 451])
@pytest.mark.parametrize("path", ["info/refs", "/git-upload-pack"])
@on_loop
async def test_a_refusal_is_a_gap(
    github: FakeGithub, clones: Clones, status: int, path: str
) -> None:
    """GitHub's refusal is reported, and is not retried."""
    gist = github.add_user("o").add_gist(FILES)
    rule = github.faults.inject(Fault(answer=Response(status)), path=path)
    assert await reason(clones, url(github, gist)) == "file_unavailable"
    assert rule.hits == 1


@on_loop
async def test_a_gist_without_an_address_is_a_gap(clones: Clones) -> None:
    """A listing without `git_pull_url` is reported."""
    assert await reason(clones, None) == "file_unavailable"


@on_loop
async def test_a_limit_is_remembered(github: FakeGithub, clones: Clones) -> None:
    """After a 429 with a wait beyond the deadline, no further request is sent to the host."""
    gist = github.add_user("o").add_gist(FILES)
    limited = Response(429, {"Retry-After": "120"})
    github.faults.inject(Fault(answer=limited), path="/git-upload-pack")
    with pytest.raises(GithubRateLimitedError) as first:
        await contents(clones, url(github, gist))
    assert 100 < first.value.retry_after_seconds <= 120
    asked = len(github.requests)
    with pytest.raises(GithubRateLimitedError):
        await contents(clones, url(github, gist))
    assert len(github.requests) == asked


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut_body_at=40),
        Fault(cut_body_at=40, reset=True),
        Fault(cut_body_at=40, chunked=True),
        Fault(cut_head_at=0),
        Fault(answer=Response(503)),
        Fault(corrupt=True),
    ],
    ids=["short", "reset", "chunked", "no answer", "503", "corrupt"],
)
@pytest.mark.parametrize("path", ["info/refs", "/git-upload-pack"])
@on_loop
async def test_a_transient_failure_is_retried(
    github: FakeGithub, clones: Clones, fault: Fault, path: str
) -> None:
    """One failure changes nothing in the result."""
    gist = github.add_user("o").add_gist(FILES)
    rule = github.faults.inject(fault, path=path, times=1)
    assert await contents(clones, url(github, gist)) == READ
    assert rule.hits == 1


@pytest.mark.parametrize(
    "answer",
    [
        Response(200, {"Content-Type": "text/html"}),
        Response(200, {"Content-Type": "application/x-git-upload-pack-advertisement"}),
        Response(503),
    ],
    ids=["HTML", "nothing", "503"],
)
@on_loop
async def test_an_answer_that_is_not_git_fails(
    github: FakeGithub, clones: Clones, answer: Response
) -> None:
    """It is an error after a few retries."""
    rule = github.faults.inject(Fault(answer=answer))
    with pytest.raises(GithubError, match="GitHub"):
        await contents(clones, f"{github.raw_url}/0123.git", seconds=3)
    assert rule.hits >= 2


@on_loop
async def test_no_request_goes_to_another_host(github: FakeGithub, clones: Clones) -> None:
    """An address or a redirect of another host is refused before a request is sent."""
    gist = github.add_user("o").add_gist(FILES)
    elsewhere = f"{github.api_url}/{gist.id}.git"
    assert await reason(clones, elsewhere) == "host_not_allowed"
    moved = Response(302, {"Location": f"{elsewhere}/info/refs?service=git-upload-pack"})
    github.faults.inject(Fault(answer=moved), path="info/refs")
    assert await reason(clones, url(github, gist)) == "host_not_allowed"
    assert github.requests_to("api") == []


@on_loop
async def test_a_redirect_on_the_host_is_followed(github: FakeGithub, clones: Clones) -> None:
    """A repository that has moved is read at its new address, pack included."""
    gist = github.add_user("o").add_gist(FILES)
    to = f"{url(github, gist)}/info/refs?service=git-upload-pack"
    github.faults.inject(Fault(answer=Response(301, {"Location": to})), path="/old.git/")
    assert await contents(clones, f"{github.raw_url}/old.git") == READ


@on_loop
async def test_a_redirected_pack_is_refused(github: FakeGithub, clones: Clones) -> None:
    """A POST is never repeated elsewhere."""
    gist = github.add_user("o").add_gist(FILES)
    away = Response(307, {"Location": f"{github.api_url}/{gist.id}.git/git-upload-pack"})
    github.faults.inject(Fault(answer=away), path=is_post)
    assert await reason(clones, url(github, gist)) == "file_unavailable"
    assert github.requests_to("api") == []


@on_loop
async def test_a_pack_over_the_limit_is_too_large(github: FakeGithub) -> None:
    """Received bytes are counted, and the rest is not read."""
    gist = github.add_user("o").add_gist({"noise": random.Random(1).randbytes(5_000_000)})
    clones = Clones(client(github.raw_host), max_pack_bytes=100_000)
    assert await reason(clones, url(github, gist)) == "file_too_large"


@on_loop
async def test_endless_refs_are_too_large(github: FakeGithub, clones: Clones) -> None:
    """Bytes before the pack are counted too."""
    pkt = b"fff0" + b"1" * 40 + b" refs/heads/" + b"x" * (0xFFF0 - 4 - 40 - 12)
    refs = b"001e# service=git-upload-pack\n0000" + pkt * 50
    advertised = Response(
        200, {"Content-Type": "application/x-git-upload-pack-advertisement"}, Literal(refs)
    )
    github.faults.inject(Fault(answer=advertised), path="info/refs")
    assert await reason(clones, f"{github.raw_url}/0123.git") == "file_too_large"


@contextmanager
def full_disk(free_bytes: int) -> Iterator[None]:
    """Limit the size of the files that this process may write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@on_loop
async def test_a_full_disk_is_a_gap(github: FakeGithub, clones: Clones) -> None:
    """A pack that can't be stored is too large."""
    gist = github.add_user("o").add_gist({"noise": random.Random(1).randbytes(1_000_000)})
    with full_disk(500_000):
        assert await reason(clones, url(github, gist)) == "file_too_large"


@on_loop
async def test_a_cancelled_download_ends(github: FakeGithub, clones: Clones) -> None:
    """Cancelling the task ends its thread and its request, and frees its place."""
    gist = github.add_user("o").add_gist(FILES)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    rule = github.faults.inject(Fault(cut_body_at=40, hang=True), path=is_post)

    def notify(request: Request) -> None:
        if is_post(request):
            loop.call_soon_threadsafe(asked.set)

    github.on_request(notify)
    tasks = [asyncio.create_task(contents(clones, url(github, gist))) for _ in range(4)]
    await asked.wait()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    await asyncio.to_thread(github.wait_quiet)
    github.faults.remove(rule)
    assert await contents(clones, url(github, gist)) == READ


@on_loop
async def test_a_silent_server_costs_the_gist_alone(github: FakeGithub) -> None:
    """The gist is given up after two timeouts."""
    gist = github.add_user("o").add_gist(FILES)
    slow = open_client("http://127.0.0.1:9", github.raw_host, timeout_seconds=1)
    rule = github.faults.inject(Fault(cut_body_at=40, hang=True), path=is_post)
    assert await reason(Clones(slow), url(github, gist)) == "file_unavailable"
    assert rule.hits == 2


@on_loop
async def test_waiting_for_a_limit_holds_no_place(github: FakeGithub) -> None:
    """While GitHub's git host requires a wait, no thread and no place is held."""
    gist = github.add_user("o").add_gist(FILES)
    github.faults.inject(Fault(answer=Response(429, {"Retry-After": "500"})), path="info/refs")
    with FakeGithub() as elsewhere:
        other = elsewhere.add_user("o").add_gist(FILES)
        clones = Clones(client(github.raw_host, elsewhere.raw_host))
        waiting = [
            asyncio.create_task(contents(clones, url(github, gist), seconds=3000)) for _ in range(8)
        ]
        for _ in range(3):
            assert await contents(clones, url(elsewhere, other)) == READ
        assert len(github.requests) <= CLONES_AT_ONCE
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
