"""The client over real connections: hosts, tokens, redirects, retries, limits and cleanup."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gistapi.aio.limiter import FairLimiter
from gistapi.errors import (
    GithubError,
    GithubRateLimitedError,
    GithubTimeoutError,
    IncompleteError,
)
from gistapi.events import Event, GithubRequestEnded
from gistapi.github.client import LimitedError, Retries
from gistapi.github.exchange import MAX_REDIRECTS
from gistapi.github.http import SilenceError, TransientError
from tests.aio.looping import run
from tests.fake_github import FakeGithub, Fault, Repeated, Response, answers
from tests.fake_github.message import Answer, text
from tests.github.asking import add_file, ask, client_of, on_loop, scope_of

TOKEN = "canary-token"


async def quiet(github: FakeGithub) -> None:
    """Wait until the fake is answering no request."""
    await asyncio.to_thread(github.wait_quiet)


@on_loop
async def test_an_answer_is_read(github: FakeGithub) -> None:
    """Status and body are returned, the body decompressed."""
    file = add_file(github, "x" * 100_000)
    assert await ask(client_of(github), file.raw_url) == (200, b"x" * 100_000)
    sent = github.requests[0].headers
    assert sent["user-agent"] == "gistapi"
    assert sent["accept-encoding"] == "gzip"


@on_loop
async def test_the_token_is_sent_to_the_api_only(github: FakeGithub) -> None:
    """Neither content hosts nor targets of redirects get the token."""
    file = add_file(github)
    client = client_of(github, token=TOKEN)
    moved = Fault(answer=answers.redirect(file.raw_url or ""))
    github.faults.inject(moved, path="/moved")
    await ask(client, file.raw_url)
    await ask(client, f"{github.raw_url}/moved")
    url = f"{github.api_url}/users/octocat/gists"
    async with client.get(url, kind="list", scope=scope_of(), headers={}) as answer:
        assert answer.status == 200
    async with client.post(
        f"{github.raw_url}/1.git/x", kind="git", scope=scope_of(), headers={}, body=b"1"
    ) as answer:
        assert answer.url.endswith("/1.git/x")
    seen = {(request.origin, request.headers.get("authorization")) for request in github.requests}
    assert seen == {("api", f"Bearer {TOKEN}"), ("raw", None), ("git", None)}
    assert not [r for r in github.requests if r.origin != "api" and TOKEN in repr(r)]


@on_loop
async def test_a_listing_redirected_to_another_host_is_refused(
    github: FakeGithub,
) -> None:
    """The API's own redirect to a content host is not followed: the host has no listings."""
    github.faults.inject(Fault(answer=answers.redirect(f"{github.raw_url}/a")), origin="api")
    with pytest.raises(IncompleteError, match="not allowed"):
        async with client_of(github, token=TOKEN).get(
            f"{github.api_url}/users/x/gists", kind="list", scope=scope_of(), headers={}
        ):
            pass
    assert not github.requests_to("raw")


@pytest.mark.parametrize(
    "name",
    [
        "with space.txt",
        "sharp#.c",
        "100%.md",
        "50%20off.md",
        "what?.txt",
        "\"quoted\" 'twice'.txt",
        "line\nbreak",
        "🦑 ünï.txt",
        "()*=;,+&$!~@:",
        "back\\slash",
        "[brackets]<angles>|^`{}",
    ],
)
@on_loop
async def test_a_listed_address_is_requested_verbatim(github: FakeGithub, name: str) -> None:
    """It is sent byte for byte: nothing is quoted twice or lost."""
    file = add_file(github, "found", name)
    assert await ask(client_of(github), file.raw_url) == (200, b"found")
    assert github.raw_url + github.requests[0].target == file.raw_url


@on_loop
async def test_characters_outside_ascii_are_quoted(github: FakeGithub) -> None:
    """A mock may leave them unquoted; they are sent as UTF-8."""
    file = add_file(github, "found", "ü.txt")
    url = (file.raw_url or "").replace("%C3%BC", "ü")
    assert await ask(client_of(github), url) == (200, b"found")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@on_loop
async def test_a_redirect_is_followed(github: FakeGithub, status: int) -> None:
    """It may lead to any allowed host, by an absolute or a relative address."""
    file = add_file(github, "found")
    path = (file.raw_url or "").removeprefix(github.raw_url)
    github.faults.inject(Fault(answer=answers.redirect(file.raw_url or "", status)), path="/full")
    github.faults.inject(Fault(answer=answers.redirect(path, status)), path="/part")
    client = client_of(github)
    async with client.get(
        f"{github.raw_url}/full", kind="raw", scope=scope_of(), headers={"X-A": "b"}
    ) as answer:
        assert (answer.url, await answer.read(100)) == (file.raw_url, b"found")
    assert await ask(client, f"{github.raw_url}/part") == (200, b"found")
    assert [request.headers.get("x-a") for request in github.requests] == ["b", "b", None, None]


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/a",
        "//localhost/a",
        "https://evil.example/a",
        "ftp://x/a",
        "http://user@HOST/a",
        "http://[/a",
        "http://HOST/a b",
    ],
)
@on_loop
async def test_a_redirect_to_another_host_is_a_gap(github: FakeGithub, location: str) -> None:
    """No request is sent to a host that only an answer names, well-formed or not."""
    location = location.replace("HOST", github.raw_host)
    github.faults.inject(Fault(answer=answers.redirect(location)))
    with pytest.raises(IncompleteError) as raised:
        await ask(client_of(github), f"{github.raw_url}/a")
    assert raised.value.reason == "host_not_allowed"
    assert len(github.requests) == 1


@on_loop
async def test_a_redirect_loop_is_an_error(github: FakeGithub) -> None:
    """The number of redirects is limited."""
    github.faults.inject(Fault(answer=lambda request: answers.redirect(request.target)))
    with pytest.raises(GithubError, match="redirected too often"):
        await ask(client_of(github), f"{github.raw_url}/round")
    assert len(github.requests) == MAX_REDIRECTS + 1
    assert github.traffic["raw"].connections == 1


@on_loop
async def test_a_redirect_without_location_is_an_answer(github: FakeGithub) -> None:
    """302 is then a status like any other."""
    github.faults.inject(Fault(answer=text(302, "somewhere")))
    assert await ask(client_of(github), f"{github.raw_url}/a") == (302, b"somewhere")


@on_loop
async def test_an_address_that_is_not_allowed_is_not_requested(github: FakeGithub) -> None:
    """An address outside GitHub's hosts causes no request and no event."""
    events: list[Event] = []
    with pytest.raises(IncompleteError):
        await ask(client_of(github, observe=events.append), f"{github.api_url}/users/x/gists")
    assert (github.requests, events) == ([], [])


@pytest.mark.parametrize("size", [0, 10, 5000, 300_000])
@on_loop
async def test_connections_are_reused(github: FakeGithub, size: int) -> None:
    """Consecutive requests need one connection, whatever their answers are."""
    file, client = add_file(github, "x" * size), client_of(github)
    for _ in range(5):
        assert (await ask(client, file.raw_url))[0] == 200
        assert (await ask(client, f"{github.raw_url}/o/gone/raw/0/a"))[0] == 404
    assert len(github.requests) == 10
    assert github.traffic["raw"].connections == 1


@on_loop
async def test_a_connection_closed_while_idle_is_replaced(github: FakeGithub) -> None:
    """It costs nothing but a new connection."""
    github.faults.inject(Fault(close_after=True))
    file, client = add_file(github), client_of(github)
    for _ in range(3):
        assert (await ask(client, file.raw_url))[0] == 200
        await quiet(github)
        await asyncio.sleep(0)  # the end of the connection is seen
    assert github.traffic["raw"].connections == 3


@on_loop
async def test_an_unread_body_is_abandoned(github: FakeGithub) -> None:
    """When the reader stops, the server stops sending: the rest is not drained."""
    file, client = add_file(github, Repeated(b"abc", 50 * 2**20)), client_of(github)
    assert file.raw_url is not None
    identity = {"Accept-Encoding": "identity"}
    async with client.get(file.raw_url, kind="raw", scope=scope_of(), headers=identity) as answer:
        assert (await answer.next_chunk()).startswith(b"abcabc")
    await quiet(github)
    assert github.requests[0].aborted
    assert github.requests[0].sent_bytes < 8 * 2**20
    assert (await ask(client, f"{github.raw_url}/gone"))[0] == 404
    assert github.traffic["raw"].connections == 2


@on_loop
async def test_a_body_over_the_bound_is_an_error(github: FakeGithub) -> None:
    """`read` returns at most the number of bytes requested."""
    file, client = add_file(github, "x" * 1000), client_of(github)
    assert file.raw_url is not None
    async with client.get(file.raw_url, kind="raw", scope=scope_of(), headers={}) as answer:
        assert len(await answer.read(1000)) == 1000
    async with client.get(file.raw_url, kind="raw", scope=scope_of(), headers={}) as answer:
        with pytest.raises(GithubError, match="more than 999 bytes"):
            await answer.read(999)


@on_loop
async def test_an_endless_error_body_is_cut(github: FakeGithub) -> None:
    """Only the beginning of an error is read, and it can be read twice."""
    body = Response(404, {"Content-Type": "text/plain"}, Repeated(b"no ", 50 * 2**20))
    github.faults.inject(Fault(answer=body))
    async with client_of(github).get(
        f"{github.raw_url}/a", kind="raw", scope=scope_of(), headers={}
    ) as answer:
        assert (await answer.error_message()).startswith("GitHub answered 404: no no no")
        assert await answer.read_error() is await answer.read_error()
    await quiet(github)
    assert github.requests[0].sent_bytes < 8 * 2**20


@on_loop
async def test_an_error_whose_body_breaks_off_keeps_its_status(github: FakeGithub) -> None:
    """Its message is what has arrived."""
    github.faults.inject(Fault(answer=text(404, "Not Found"), cut_body_at=3))
    async with client_of(github).get(
        f"{github.raw_url}/a", kind="raw", scope=scope_of(), headers={}
    ) as answer:
        assert await answer.error_message() == "GitHub answered 404: Not"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416, 422, 451])
@on_loop
async def test_a_final_status_is_returned(github: FakeGithub, status: int) -> None:
    """The caller gets a refusal with GitHub's message."""
    github.faults.inject(Fault(answer=text(status, "no")))
    async with client_of(github).get(
        f"{github.raw_url}/a", kind="raw", scope=scope_of(), headers={}
    ) as answer:
        assert answer.status == status
        assert await answer.error_message() == f"GitHub answered {status}: no"


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 599])
@on_loop
async def test_a_server_error_is_transient(github: FakeGithub, status: int) -> None:
    """It has the server's message, its status and the wait that it asks for."""
    github.faults.inject(Fault(answer=text(status, "wait", retry_after="7")))
    with pytest.raises(TransientError, match=f"GitHub answered {status}: wait") as raised:
        await ask(client_of(github), f"{github.raw_url}/a")
    assert (raised.value.status, raised.value.retry_after_seconds) == (status, 7)


@pytest.mark.parametrize(
    "refusal",
    [
        lambda _: answers.primary_limit(403, reset_in=50),  # counts from now, not from collection
        lambda _: answers.primary_limit(429, reset_in=50),
        answers.secondary_limit(403, retry_after="50"),
        answers.secondary_limit(429, retry_after="50"),
        answers.secondary_limit(403, retry_after=None),
        answers.raw_limit(),
        answers.raw_limit("50"),
    ],
)
@on_loop
async def test_a_limited_host_gets_no_requests(github: FakeGithub, refusal: Answer) -> None:
    """After a limit no caller's request is sent before its time; other hosts get theirs."""
    client = client_of(github)
    rule = github.faults.inject(Fault(answer=refusal), origin="raw")
    with pytest.raises(LimitedError) as raised:
        await ask(client, f"{github.raw_url}/a")
    assert 40 < raised.value.retry_after_seconds <= 61
    github.faults.remove(rule)
    for _ in range(3):
        with pytest.raises(GithubRateLimitedError) as again:
            await ask(client, f"{github.raw_url}/b", scope_of(30))
        assert 40 < again.value.retry_after_seconds <= 61
    assert len(github.requests_to("raw")) == 1
    url = f"{github.api_url}/users/nobody/gists"
    async with client.get(url, kind="list", scope=scope_of(), headers={}) as answer:
        assert answer.status == 404


@on_loop
async def test_every_request_is_reported(github: FakeGithub) -> None:
    """An event has host, status, error, cause and size; a redirect causes two."""
    file = add_file(github, "x" * 100)
    events: list[Event] = []
    client = client_of(github, observe=events.append)
    github.faults.inject(Fault(answer=answers.redirect(file.raw_url or "")), path="/moved")
    github.faults.inject(Fault(answer=text(502, "bad")), path="/bad")
    github.faults.inject(Fault(cut_head_at=0), path="/cut")
    await ask(client, f"{github.raw_url}/moved")
    for path in ("/bad", "/cut"):
        with pytest.raises(TransientError):
            await ask(client, github.raw_url + path)
    seen = [e for e in events if isinstance(e, GithubRequestEnded)]
    assert [(e.kind, e.host) for e in seen] == [("raw", github.raw_host)] * 4
    error = "TransientError"
    assert [(e.status, e.error) for e in seen] == [
        (302, None),
        (200, None),
        (502, error),
        (None, error),
    ]
    assert [e.message for e in seen[:2]] == [None, None]
    assert "502: bad" in (seen[2].message or "")
    assert seen[3].message == "ServerDisconnectedError: Server disconnected"
    assert 0 < seen[1].size_bytes < 100  # as on the wire: compressed
    assert seen[2].size_bytes == 3
    assert all(e.duration_seconds >= 0 for e in seen)


@on_loop
async def test_stopping_early_is_no_error(github: FakeGithub) -> None:
    """A reader that has read enough is no failure."""
    file = add_file(github, Repeated(b"abc", 2**20))
    events: list[Any] = []
    client = client_of(github, observe=events.append)

    async def beginning() -> bytes:
        async with client.get(
            file.raw_url or "", kind="raw", scope=scope_of(), headers={}
        ) as answer:
            return (await answer.next_chunk())[:3]

    assert await beginning() == b"abc"
    assert [(event.status, event.error) for event in events] == [(200, None)]


@on_loop
async def test_a_post_sends_its_body(github: FakeGithub) -> None:
    """A POST has a Content-Length, and its redirect is returned."""
    github.faults.inject(Fault(answer=answers.redirect("/elsewhere")))
    async with client_of(github).post(
        f"{github.raw_url}/1.git/x", kind="git", scope=scope_of(), headers={}, body=b"0000"
    ) as answer:
        assert answer.status == 302
    (request,) = github.requests
    assert (request.method, request.body) == ("POST", b"0000")
    assert request.headers["content-length"] == "4"


@on_loop
async def test_closing_ends_the_idle_connections(github: FakeGithub) -> None:
    """After `close` the next request needs a new connection."""
    client = client_of(github)
    await ask(client, f"{github.raw_url}/a")
    await client.close()
    await ask(client, f"{github.raw_url}/a")
    assert github.traffic["raw"].connections == 2


def test_a_request_is_retried_three_times() -> None:
    """The fourth failure in a row is raised unchanged; progress resets the count."""

    async def main() -> None:
        retries = Retries(scope_of())
        error = TransientError("broken")
        await retries.again(error)
        await retries.again(error)
        retries.progressed()
        for _ in range(3):
            await retries.again(error)
        with pytest.raises(TransientError, match="broken"):
            await retries.again(error)

    run(main())


def test_a_retry_obeys_retry_after() -> None:
    """A failure's `Retry-After` is waited for if the deadline allows."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await Retries(scope_of()).again(TransientError("busy", 503, 30))
        waited = loop.time() - began
        with pytest.raises(TransientError, match="busy"):
            await Retries(scope_of(5)).again(TransientError("busy", 503, 10))
        assert loop.time() - began == waited
        return waited

    assert run(main()) == 30


def test_a_limit_is_retried_three_times() -> None:
    """The fourth limit in a row is raised with the time of the next attempt."""

    async def main() -> None:
        retries = Retries(scope_of())
        for _ in range(3):
            await retries.again(LimitedError("slow down", 429, 0))
        with pytest.raises(GithubRateLimitedError, match="slow down") as raised:
            await retries.again(LimitedError("slow down", 429, 40))
        assert raised.value.retry_after_seconds == 40

    run(main())


def test_a_silent_server_is_tried_twice() -> None:
    """Two timeouts in a row are raised as a timeout; another failure does not count as one."""

    async def main() -> None:
        retries = Retries(scope_of())
        await retries.again(SilenceError("silent"))
        await retries.again(TransientError("broken"))
        with pytest.raises(GithubTimeoutError, match="silent"):
            await retries.again(SilenceError("silent"))

    run(main())


@on_loop
async def test_a_place_is_held_for_one_exchange(github: FakeGithub) -> None:
    """While a request waits for a limit, or between redirects, its lane's place is free."""
    github.faults.inject(Fault(answer=answers.raw_limit("1")), times=1)
    file, client = add_file(github), client_of(github)
    limiter = FairLimiter(1, 1)
    with pytest.raises(LimitedError):
        await ask(client, file.raw_url, scope_of(limiter=limiter))
    waiting = asyncio.create_task(ask(client, file.raw_url, scope_of(limiter=limiter)))
    await asyncio.sleep(0)  # it has begun to wait
    assert limiter.free == 1
    url = f"{github.api_url}/users/nobody/gists"
    scope = scope_of(limiter=limiter)
    async with client.get(url, kind="list", scope=scope, headers={}) as answer:
        assert answer.status == 404
        assert limiter.free == 0
    assert not waiting.done()
    assert (await waiting)[0] == 200
    assert limiter.free == 1


@on_loop
async def test_one_request_probes_a_host_after_a_limit(github: FakeGithub) -> None:
    """The others follow when it has succeeded."""
    github.faults.inject(Fault(answer=answers.raw_limit("1")), times=1)
    file, client = add_file(github), client_of(github)
    with pytest.raises(LimitedError):
        await ask(client, file.raw_url)
    github.faults.inject(Fault(latency_seconds=0.2), times=1)
    scope = scope_of()
    got = await asyncio.gather(*[ask(client, file.raw_url, scope) for _ in range(8)])
    assert {status for status, _ in got} == {200}
    first, *others = github.requests[1:]
    assert first.ended is not None
    assert all(first.ended <= request.started for request in others)


@on_loop
async def test_a_queued_request_waits_for_a_new_limit(github: FakeGithub) -> None:
    """A request that waits for its place while the host limits another one waits again."""
    github.faults.inject(Fault(answer=answers.raw_limit("1"), latency_seconds=0.1), times=1)
    file, client = add_file(github), client_of(github)
    scope = scope_of(limiter=FairLimiter(1, 1))
    got = await asyncio.gather(
        *[ask(client, file.raw_url, scope) for _ in range(4)], return_exceptions=True
    )
    assert [type(outcome) for outcome in got] == [LimitedError, tuple, tuple, tuple]
    refused, second, *_ = github.requests
    assert second.started - refused.started > 1


@on_loop
async def test_a_callers_token_replaces_the_services(github: FakeGithub) -> None:
    """It is sent to the API only, and its spent budget stops no other search."""
    github.add_user("octocat")
    client = client_of(github, token=TOKEN)
    url = f"{github.api_url}/users/octocat/gists"
    github.faults.inject(Fault(answer=answers.secondary_limit(429, retry_after="50")), times=1)
    callers = scope_of(30, caller_token="callers-token")
    with pytest.raises(LimitedError):
        async with client.get(url, kind="list", scope=callers, headers={}):
            pass
    with pytest.raises(GithubRateLimitedError):
        async with client.get(url, kind="list", scope=callers, headers={}):
            pass
    async with client.get(url, kind="list", scope=scope_of(30), headers={}) as answer:
        assert answer.status == 200
    await ask(client, add_file(github).raw_url, callers)
    sent = [request.headers.get("authorization") for request in github.requests]
    assert sent == ["Bearer callers-token", f"Bearer {TOKEN}", None]


@on_loop
async def test_a_cancelled_request_is_closed(github: FakeGithub) -> None:
    """Cancelling the task ends the exchange on the server too, and frees the place."""
    github.faults.inject(Fault(cut_body_at=9, hang=True))
    file, client = add_file(github, "x" * 5000), client_of(github, timeout_seconds=30)
    limiter = FairLimiter(1, 1)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def notify(_: object) -> None:
        loop.call_soon_threadsafe(asked.set)

    github.on_request(notify)
    task = asyncio.create_task(ask(client, file.raw_url, scope_of(limiter=limiter)))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await quiet(github)
    assert github.requests[0].aborted
    assert limiter.free == 1
