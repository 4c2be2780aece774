"""Adaptive concurrency and pace, on a simulated clock: minutes take no time."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest

from gistapi.aio.limiter import FairLimiter, Lane
from gistapi.github.throttle import Throttle
from tests.aio.looping import run


def now() -> float:
    """The loop's time."""
    return asyncio.get_running_loop().time()


class Host:
    """A host that answers after `latency_seconds` and allows `rate` requests in any second.

    Requests that arrive together are answered one after another, `apart_seconds` each.
    """

    def __init__(
        self,
        rate: int | None = None,
        latency_seconds: float = 0.05,
        apart_seconds: float = 0.0,
    ) -> None:
        self.rate = rate
        self.latency_seconds = latency_seconds
        self.apart_seconds = apart_seconds
        self.allowed: deque[float] = deque()
        self.asked = self.refused = self.under_way = self.most = 0

    async def ask(self) -> bool:
        """Send a request; returns whether it is allowed."""
        self.asked += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        while self.allowed and self.allowed[0] <= now() - 1:
            self.allowed.popleft()
        is_allowed = self.rate is None or len(self.allowed) < self.rate
        if is_allowed:
            self.allowed.append(now())
        else:
            self.refused += 1
        await asyncio.sleep(self.latency_seconds + self.apart_seconds * self.under_way)
        self.under_way -= 1
        return is_allowed


async def send(throttle: Throttle, host: Host, lane: Lane, until: list[float]) -> None:
    """Send one request; repeat it after a second if it is refused, as `Retry-After: 1` asks."""
    while True:
        await asyncio.sleep(max(0.0, until[0] - now()))
        async with throttle.place(lane):
            if until[0] > now():
                continue
            await throttle.keep_pace()
            if until[0] > now():
                continue
            sent_at = now()
            if await host.ask():
                throttle.accepted(sent_at)
                return
            throttle.refused(sent_at)
            until[0] = now() + 1


async def send_many(throttle: Throttle, host: Host, count: int, share: int = 100) -> None:
    """Send many concurrent requests of one search."""
    lane, until = FairLimiter(100, share).lane(), [0.0]
    await asyncio.gather(*[send(throttle, host, lane, until) for _ in range(count)])


def test_without_refusals_all_places_may_be_used() -> None:
    """The maximum is the host's; one search's share is limited elsewhere."""

    async def main() -> None:
        throttle, host = Throttle(64), Host()
        await send_many(throttle, host, 1000)
        assert (throttle.concurrency, host.most, throttle.pace) == (64, 64, None)

    run(main())


def test_unused_concurrency_does_not_rise() -> None:
    """Sequential requests do not show that thirty-two at once are allowed."""

    async def main() -> None:
        throttle, host = Throttle(64), Host()
        await asyncio.sleep(1)
        throttle.failed(now())
        for _ in range(100):
            await send_many(throttle, host, 1)
        assert throttle.concurrency == 32

    run(main())


def test_concurrent_refusals_halve_once() -> None:
    """Sixteen refusals of sixteen concurrent requests are one decrease; a later one is another."""

    async def main() -> None:
        throttle = Throttle(16)
        await asyncio.sleep(10)
        for _ in range(16):
            throttle.refused(9.0)
        assert throttle.concurrency == 8
        await asyncio.sleep(10)
        for halved in (4, 2, 1, 1):
            throttle.refused(now())
            assert throttle.concurrency == halved
            await asyncio.sleep(1)

    run(main())


def test_after_a_decrease_concurrency_rises_slowly() -> None:
    """Concurrency rises by one for each round of requests, not for each request."""

    async def main() -> None:
        throttle, host = Throttle(16), Host()
        await asyncio.sleep(1)
        throttle.failed(now())
        assert throttle.concurrency == 8
        await send_many(throttle, host, 8 * 10)
        assert 12 <= throttle.concurrency <= 16

    run(main())


def test_a_host_that_slows_down_gets_less() -> None:
    """Answers that take several times the usual time halve the concurrency."""

    async def main() -> None:
        throttle, host = Throttle(64), Host(latency_seconds=0.1)
        await send_many(throttle, host, 500)
        assert throttle.concurrency == 64
        host.latency_seconds = 3.0
        await send_many(throttle, host, 300)
        assert throttle.concurrency <= 32
        assert throttle.pace is None

    run(main())


def test_a_slow_host_is_not_throttled() -> None:
    """The usual time is measured, so a steadily slow host is not slowing down."""

    async def main() -> None:
        throttle, host = Throttle(64), Host(latency_seconds=3.0)
        await send_many(throttle, host, 1000)
        assert throttle.concurrency == 64

    run(main())


@pytest.mark.parametrize("rate", [2, 10, 50])
@pytest.mark.parametrize("latency_seconds", [0.005, 0.05, 0.5])
def test_a_rate_limit_is_found(rate: int, latency_seconds: float) -> None:
    """Of 2,000 requests at most one percent is refused, and 80 percent of the rate are used.

    The refused include what was already sent when the first refusal came.
    """

    async def main() -> None:
        throttle, host = Throttle(64), Host(rate, latency_seconds)
        await send_many(throttle, host, 2000, share=16)
        assert host.refused <= 0.01 * host.asked
        assert now() <= 2000 / min(rate, 16 / latency_seconds) * 1.25

    run(main())


@pytest.mark.parametrize(("rate", "refused"), [(2, 14), (10, 6), (50, 16)])
def test_no_request_follows_a_round_that_is_refused(rate: int, refused: int) -> None:
    """The first refusal finds sixteen requests in progress, and arrives before more are sent."""

    async def main() -> None:
        throttle, host = Throttle(64), Host(rate, 0.04, apart_seconds=0.0005)
        await send_many(throttle, host, 100, share=16)
        assert host.refused <= refused

    run(main())


def test_a_first_request_alone_delays_no_other() -> None:
    """Nothing else is in progress: the pages of a list are requested one after another."""

    async def main() -> None:
        throttle, host = Throttle(64), Host(latency_seconds=1.0)
        await send_many(throttle, host, 1)
        await send_many(throttle, host, 1)
        assert now() == 2.0

    run(main())


def test_the_rate_rises_when_the_host_allows_more() -> None:
    """A refusal does not limit the rate for ever."""

    async def main() -> None:
        throttle, host = Throttle(64), Host(10, 0.01)
        await send_many(throttle, host, 100)
        assert throttle.pace is not None
        host.rate = None
        await send_many(throttle, host, 20_000)
        assert throttle.pace is None
        assert throttle.concurrency == 64

    run(main())


def test_places_are_shared_between_searches() -> None:
    """A search that wants one place does not wait for one that wants a thousand."""

    async def main() -> None:
        throttle, host = Throttle(16), Host(latency_seconds=1.0)
        greedy, patient, until = FairLimiter(100, 100).lane(), FairLimiter(100, 100).lane(), [0.0]
        many = [asyncio.create_task(send(throttle, host, greedy, until)) for _ in range(160)]
        await asyncio.sleep(0.5)
        await send(throttle, host, patient, until)
        assert now() < 3.0  # it is in the second round
        await asyncio.gather(*many)

    run(main())
