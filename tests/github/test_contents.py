"""Which source a content is read from: if one refuses or fails, another has the same bytes."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from gistapi.aio.limiter import FairLimiter
from gistapi.aio.scope import Scope
from gistapi.errors import GithubError, GithubRateLimitedError, GoneError, IncompleteError
from gistapi.events import ContentRead, Event
from gistapi.github.client import Client
from gistapi.github.contents import Contents
from gistapi.github.git.clone import Clones
from gistapi.models import Gist
from tests.fake_github import FakeGithub, Fault, Request, Response, answers
from tests.fake_github.message import OriginName, text
from tests.github.asking import client_of, listed_gist, on_loop, scope_of, user_of

TOKEN = "canary-token"
FILES = {"a.py": "import os\n", "b.md": "# héllo\r\n"}
AT_ONCE = 32
"""Gists that a search reads concurrently."""


class Reader:
    """Reads gists as a search does, and records the sources."""

    def __init__(self, github: FakeGithub, token: str | None = None, **about: Any) -> None:
        self.events: list[Event] = []
        self.client: Client = client_of(github, token=token, observe=self.events.append, **about)
        self.contents = Contents(self.client, Clones(self.client), self.events.append)

    async def read(self, gist: Gist, scope: Scope | None = None) -> dict[str, bytes]:
        """The contents of a gist's files, read concurrently."""
        scope = scope or scope_of()
        found = await asyncio.gather(
            *[self.contents.read(gist, file, scope) for file in gist.files]
        )
        return {file.name: content for file, content in zip(gist.files, found, strict=True)}

    async def read_all(self, gists: Iterable[Gist]) -> list[dict[str, bytes]]:
        """The contents of many gists, AT_ONCE of them concurrently."""
        scope, places = scope_of(limiter=FairLimiter(64, 16)), asyncio.Semaphore(AT_ONCE)

        async def one(gist: Gist) -> dict[str, bytes]:
            async with places:
                return await self.read(gist, scope)

        return await asyncio.gather(*[one(gist) for gist in gists])

    @property
    def ways(self) -> Counter[tuple[str, str]]:
        """How often each source was used, by reason."""
        reads = [event for event in self.events if isinstance(event, ContentRead)]
        return Counter((event.way, event.reason) for event in reads)


def add(github: FakeGithub, files: dict[str, bytes | str] | None = None) -> Gist:
    """Add a gist; returns it as the listing shows it."""
    return listed_gist(github, user_of(github).add_gist(files or FILES))


def as_bytes(files: dict[str, str]) -> dict[str, bytes]:
    """Encode texts as UTF-8."""
    return {name: text.encode() for name, text in files.items()}


def refuse(github: FakeGithub, origin: OriginName, retry_after: str | None = "300") -> None:
    """Make an origin refuse everything."""
    github.faults.inject(Fault(answer=answers.raw_limit(retry_after)), origin=origin)


def to(github: FakeGithub, path: str) -> list[Request]:
    """The requests whose path has this beginning."""
    return [request for request in github.requests if request.path.startswith(path)]


@on_loop
async def test_raw_is_preferred(github: FakeGithub) -> None:
    """While the raw host answers, no other source is used."""
    reader = Reader(github, TOKEN)
    assert await reader.read(add(github)) == as_bytes(FILES)
    assert {request.origin for request in github.requests} == {"raw"}
    assert reader.ways == {("raw", "preferred"): 2}


@on_loop
async def test_with_a_token_graphql_replaces_raw(github: FakeGithub) -> None:
    """Reading all files of 100 gists costs at most five points."""
    user = user_of(github)
    texts = [{"a.py": f"import n{n}\n", "b.md": f"# {n} é\n"} for n in range(100)]
    gists = [listed_gist(github, user.add_gist(files)) for files in texts]
    refuse(github, "raw")
    reader = Reader(github, TOKEN)
    assert await reader.read_all(gists) == [as_bytes(files) for files in texts]
    assert len(to(github, "/graphql")) <= 5
    assert len(github.requests_to("raw")) <= 16
    assert not github.requests_to("git")
    assert len(github.requests_to("api")) == len(to(github, "/graphql"))
    assert set(reader.ways) <= {("graphql", "limited"), ("graphql", "shared")}
    assert {r.headers["authorization"] for r in to(github, "/graphql")} == {f"Bearer {TOKEN}"}


@on_loop
async def test_without_a_token_git_replaces_raw(github: FakeGithub) -> None:
    """Each gist is cloned once, whatever its number of files; the API's budget is not used."""
    user = user_of(github)
    texts = [{f"{name}.py": f"{name} {n}" for name in "abc"} for n in range(8)]
    gists = [listed_gist(github, user.add_gist(files)) for files in texts]
    refuse(github, "raw")
    reader = Reader(github)
    assert await reader.read_all(gists) == [as_bytes(files) for files in texts]
    assert not github.requests_to("api")
    assert len(github.requests_to("git")) == 2 * 8
    assert set(reader.ways) <= {("git", "limited"), ("git", "shared")}


@on_loop
async def test_when_all_sources_refuse_the_wait_is_reported(github: FakeGithub) -> None:
    """Without a token, while raw and git refuse, no host gets repeated requests."""
    gists = [add(github) for _ in range(4)]
    refuse(github, "raw")
    refuse(github, "git")
    github.rate_limit.use_up()
    reader = Reader(github)
    for gist in gists:
        with pytest.raises(GithubRateLimitedError) as raised:
            await reader.contents.read(gist, gist.files[0], scope_of())
        assert 200 < raised.value.retry_after_seconds <= 300
    assert len(github.requests) <= 3


@on_loop
async def test_without_a_token_the_api_is_the_last_source(github: FakeGithub) -> None:
    """It may use half of the hourly budget; the other half is for listings."""
    user = user_of(github)
    gists = [listed_gist(github, user.add_gist({"a": str(n)})) for n in range(40)]
    refuse(github, "raw")
    refuse(github, "git")
    reader = Reader(github)
    read = 0
    for gist in gists:
        try:
            assert await reader.read(gist)
            read += 1
        except GithubRateLimitedError:
            break
    assert 28 <= read <= 31
    assert reader.ways == {("gist", "limited"): read}


@on_loop
async def test_a_short_wait_of_raw_is_waited_for(github: FakeGithub) -> None:
    """A second costs less than another source."""
    github.faults.inject(Fault(answer=answers.raw_limit("1")), origin="raw", times=1)
    reader = Reader(github, TOKEN)
    assert await reader.read(add(github, {"a": "text"})) == {"a": b"text"}
    assert reader.ways == {("raw", "preferred"): 1}


@on_loop
async def test_raw_is_used_again_after_its_wait(github: FakeGithub) -> None:
    """One request probes it; when it has succeeded, the next ones follow."""
    rule = github.faults.inject(Fault(answer=answers.raw_limit("300")), origin="raw")
    reader, gists = Reader(github, TOKEN), [add(github, {"a": str(n)}) for n in range(4)]
    await reader.read(gists[0])
    await reader.read(gists[1])
    github.faults.remove(rule)
    reader.client.limits.host(github.raw_host, "raw").until = 0.0
    await reader.read(gists[2])
    await reader.read(gists[3])
    assert reader.ways == {("graphql", "limited"): 2, ("raw", "preferred"): 2}


@on_loop
async def test_a_failing_raw_host_is_avoided(github: FakeGithub) -> None:
    """After five failures in a row it is probed now and then, not for every file."""
    github.faults.inject(Fault(answer=text(503, "no")), origin="raw")
    reader, user = Reader(github, TOKEN), user_of(github)
    texts = [{"a": str(n)} for n in range(12)]
    gists = [listed_gist(github, user.add_gist(files)) for files in texts]
    for gist, files in zip(gists, texts, strict=True):
        assert await reader.read(gist) == as_bytes(files)
    assert len(github.requests_to("raw")) <= 8
    assert reader.ways == {("graphql", "failed"): 12}


@on_loop
async def test_a_file_that_raw_refuses_is_read_elsewhere(github: FakeGithub) -> None:
    """A 403 that is no limit concerns that gist alone: others are read from raw."""
    odd, other = add(github, {"a": "odd", "b": "b"}), add(github, {"a": "other"})
    github.faults.inject(Fault(answer=answers.too_big()), path=odd.id, origin="raw")
    reader = Reader(github, TOKEN)
    scope = scope_of()
    for file in odd.files:
        assert await reader.contents.read(odd, file, scope)
    assert await reader.read(other) == {"a": b"other"}
    assert len([r for r in github.requests_to("raw") if odd.id in r.path]) == 1
    assert reader.ways == {
        ("graphql", "failed"): 1,
        ("graphql", "shared"): 1,
        ("raw", "preferred"): 1,
    }


@on_loop
async def test_a_content_with_another_hash_is_not_used(github: FakeGithub) -> None:
    """If the raw host answers with a login page, the content is read elsewhere."""
    github.faults.inject(Fault(answer=text(200, "<html>login</html>")), origin="raw")
    reader = Reader(github, TOKEN)
    assert await reader.read(add(github)) == as_bytes(FILES)
    assert all(reason in {"mismatch", "shared"} for _, reason in reader.ways)


@on_loop
async def test_a_file_that_no_source_has_is_a_gap(github: FakeGithub) -> None:
    """Of an edited gist, only raw has the content that was listed."""
    gist = add(github, {"a": "old"})
    github.world.gists[gist.id].edit({"a": "new"})
    reader = Reader(github, TOKEN)
    assert await reader.read(gist) == {"a": b"old"}
    github.faults.inject(Fault(answer=answers.too_big()), origin="raw")
    with pytest.raises(IncompleteError) as raised:
        await Reader(github, TOKEN).read(gist)
    assert raised.value.reason == "file_unavailable"


@on_loop
async def test_binaries_are_read_from_the_single_gist(github: FakeGithub) -> None:
    """GraphQL has no text for them, REST has them in base64."""
    files: dict[str, bytes | str] = {"a.bin": b"\0\xff\xfe" * 100, "b.txt": "text"}
    refuse(github, "raw")
    reader = Reader(github, TOKEN)
    gist = add(github, files)
    assert await reader.read(gist) == {"a.bin": b"\0\xff\xfe" * 100, "b.txt": b"text"}
    assert reader.ways == {("gist", "limited"): 1, ("graphql", "limited"): 1}
    assert len(to(github, "/gists/")) == 1


@on_loop
async def test_a_query_that_is_too_large_is_halved(github: FakeGithub) -> None:
    """A single gist that is too large is read elsewhere."""
    user = user_of(github)
    texts = [{"a": f"{n} " + "x" * 1000} for n in range(16)] + [{"a": "x" * 9000}]
    gists = [listed_gist(github, user.add_gist(files)) for files in texts]
    refuse(github, "raw")
    github.api.graphql.max_bytes = 5000
    reader = Reader(github, TOKEN)
    assert await reader.read_all(gists) == [as_bytes(files) for files in texts]
    assert reader.ways == {("graphql", "limited"): 16, ("gist", "limited"): 1}


@on_loop
async def test_a_silent_graphql_costs_one_timeout(github: FakeGithub) -> None:
    """The gists of the query are read elsewhere; no smaller queries are tried."""
    user = user_of(github)
    texts = [{"a": f"{n}"} for n in range(16)]
    gists = [listed_gist(github, user.add_gist(files)) for files in texts]
    refuse(github, "raw")
    github.faults.inject(Fault(cut_head_at=0, hang=True), path="/graphql")
    reader = Reader(github, TOKEN, timeout_seconds=0.5)
    assert await reader.read_all(gists) == [as_bytes(files) for files in texts]
    assert len(to(github, "/graphql")) == 1
    assert reader.ways == {("gist", "limited"): 16}


@pytest.mark.parametrize(
    "answer",
    [
        text(502, "too slow"),
        text(200, "no JSON"),
        text(200, '{"data": null, "errors": [{"type": "FORBIDDEN"}, 7]}'),
        text(200, '{"data": null, "errors": [{"type": ["RATE_LIMITED"]}]}'),
        text(200, '{"data": null, "errors": [{"type": {}}]}'),
        text(200, '{"data": {"nodes": [null]}}'),
        text(200, '{"data": {"nodes": [{"files": [null, {"name": 1}, {"name": "a"}]}]}}'),
        text(200, '{"data": {"nodes": []}}'),
        text(200, '{"data": null, "errors": [{"type": "RATE_LIMITED"}]}'),
        text(200, "[]"),
        answers.bad_credentials(),
        answers.secondary_limit(),
    ],
)
@on_loop
async def test_any_failure_of_graphql_leads_to_another_source(
    github: FakeGithub, answer: Response
) -> None:
    """No part of it is used as a content, and it does not end the search."""
    refuse(github, "raw")
    github.faults.inject(Fault(answer=answer), path="/graphql")
    reader = Reader(github, TOKEN)
    assert await reader.read(add(github, {"a": "text"})) == {"a": b"text"}
    assert reader.ways == {("gist", "limited"): 1}


@pytest.mark.parametrize(
    ("parsing", "token"), [("graphql.parse_nodes", TOKEN), ("single.parse_contents", None)]
)
@on_loop
async def test_answers_with_contents_are_not_parsed_on_the_loop(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch, parsing: str, token: str | None
) -> None:
    """They may have 16 MiB, and other searches would wait until that is parsed."""
    module, _, name = parsing.partition(".")
    parse = getattr(import_module(f"gistapi.github.{module}"), name)
    threads: list[str] = []

    def noting(*given: Any, **options: Any) -> Any:
        threads.append(threading.current_thread().name)
        return parse(*given, **options)

    monkeypatch.setattr(f"gistapi.github.{parsing}", noting)
    refuse(github, "raw")
    refuse(github, "git")
    reader = Reader(github, token)
    assert await reader.read(add(github, {"a": "text"})) == {"a": b"text"}
    assert [name.startswith("gistapi-json") for name in threads] == [True]


@on_loop
async def test_an_unexpected_error_of_a_query_is_raised(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reaches the reader: if it only cancelled the gist, the gist would silently be missing."""

    def fail(_body: bytes, *, count: int) -> list[object]:
        del count
        raise RuntimeError("unforeseen")

    refuse(github, "raw")
    monkeypatch.setattr("gistapi.github.graphql.parse_nodes", fail)
    with pytest.raises(RuntimeError, match="unforeseen"):
        await Reader(github, TOKEN).read(add(github, {"a": "text"}))


@pytest.mark.parametrize(
    "answer",
    [
        text(502, "no"),
        text(200, "no JSON"),
        text(200, '{"files": null}'),
        text(200, '{"files": {"a": null}}'),
        text(200, '{"files": {"a": {"content": "text", "truncated": true}}}'),
        text(200, '{"files": {"a": {"content": "te", "truncated": false}}}'),
        text(200, '{"files": {"a": {"content": "%%%", "encoding": "base64"}}}'),
        text(200, '{"files": {"a": {"content": "\\\\ud800"}}}'),
        answers.blocked(403),
    ],
)
@on_loop
async def test_any_failure_of_the_single_gist_leads_to_git(
    github: FakeGithub, answer: Response
) -> None:
    """The last source has the content."""
    refuse(github, "raw")
    github.faults.inject(Fault(answer=text(200, "[]")), path="/graphql")
    github.faults.inject(Fault(answer=answer), path="/gists/")
    reader = Reader(github, TOKEN)
    assert await reader.read(add(github, {"a": "text"})) == {"a": b"text"}
    assert reader.ways == {("git", "limited"): 1}


@on_loop
async def test_a_deleted_gist_is_gone(github: FakeGithub) -> None:
    """A 404 of any source says so."""
    gist = add(github, {"a": "text"})
    github.world.gists[gist.id].delete()
    with pytest.raises(GoneError):
        await Reader(github, TOKEN).read(gist)
    assert len(github.requests) == 1
    refuse(github, "raw")
    with pytest.raises(GoneError):
        await Reader(github).read(gist)


@on_loop
async def test_a_content_without_a_sha_is_read_from_raw_only(github: FakeGithub) -> None:
    """Other sources cannot be verified against the listing, so raw's limit is the result."""
    gist = add(github, {"a": "text"})
    gist = replace(gist, files=(replace(gist.files[0], blob_sha=None),))
    refuse(github, "raw")
    with pytest.raises(GithubRateLimitedError):
        await Reader(github, TOKEN).read(gist)
    assert {request.origin for request in github.requests} == {"raw"}


@on_loop
async def test_an_address_that_is_not_allowed_is_a_gap(github: FakeGithub) -> None:
    """No request is sent."""
    gist = add(github, {"a": "text"})
    gist = replace(gist, files=(replace(gist.files[0], raw_url="https://evil.example/a"),))
    with pytest.raises(IncompleteError) as raised:
        await Reader(github, TOKEN).read(gist)
    assert raised.value.reason == "host_not_allowed"
    assert not github.requests


@on_loop
async def test_a_failure_of_the_only_source_is_raised(github: FakeGithub) -> None:
    """Where raw is the only source, its error is raised after its retries."""
    gist = replace(add(github, {"a": "text"}), git_pull_url=None, node_id=None)
    github.faults.inject(Fault(answer=text(422, "no")), origin="raw")
    github.rate_limit.use_up()
    github.faults.inject(Fault(answer=answers.primary_limit()), origin="api")
    with pytest.raises(GithubError):
        await Reader(github).read(gist)
    assert len(github.requests_to("raw")) == 1


@on_loop
async def test_a_callers_token_is_used_for_graphql(github: FakeGithub) -> None:
    """It is used in place of the service's, which has none here."""
    refuse(github, "raw")
    reader = Reader(github)
    gist = add(github)
    assert await reader.read(gist, scope_of(caller_token="callers")) == as_bytes(FILES)
    assert [r.headers["authorization"] for r in to(github, "/graphql")] == ["Bearer callers"]


@on_loop
async def test_a_cancelled_search_ends_its_query(github: FakeGithub) -> None:
    """A query that no search waits for is cancelled, and none follows."""
    refuse(github, "raw")
    reader, user = Reader(github, TOKEN), user_of(github)
    gists = [listed_gist(github, user.add_gist({"a": str(n)})) for n in range(40)]
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    github.faults.inject(Fault(latency_seconds=3600), path="/graphql")

    def notify(request: Request) -> None:
        if request.path == "/graphql":
            loop.call_soon_threadsafe(asked.set)

    github.on_request(notify)
    task = asyncio.create_task(reader.read_all(gists))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(github.wait_quiet)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "graphql contents"]
    assert len(to(github, "/graphql")) == 1


@on_loop
async def test_the_state_of_each_host_can_be_read(github: FakeGithub) -> None:
    """It has requests, refusals, wait and budget, for each resource that is limited separately."""
    refuse(github, "raw")
    reader = Reader(github, TOKEN)
    await reader.read(add(github))
    states = {state.resource: state for state in reader.client.limits.states()}
    assert (states["raw"].refusals, states["raw"].budget) == (states["raw"].requests, None)
    assert 200 < states["raw"].wait_seconds <= 300
    assert states["raw"].concurrency == 32  # half of the 64 of the process
    assert (states["graphql"].budget, states["graphql"].budget_limit) == (4999, 5000)
    assert 3000 < (states["graphql"].budget_reset_seconds or 0) <= 3600
