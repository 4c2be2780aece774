"""When requests to a host may be sent. Waits of an hour take no time: the clock is simulated."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import pytest

from gistapi.errors import GithubRateLimitedError
from gistapi.events import Event, GithubBudgetSeen, GithubLimited, ignore
from gistapi.github.host_limits import LONGEST_WAIT_SECONDS, Host, HostLimits
from tests.aio.looping import run

HOST = "api.github.com"
FOREVER = 1e9


def new_host(*events: list[Event]) -> Host:
    """A host without any request so far."""
    limits = HostLimits(events[0].append if events else ignore, 64)
    return limits.host(HOST, "api")


def budget(remaining: int, reset_in: float) -> Mapping[str, str]:
    """The fields of the primary limit."""
    return {
        "X-RateLimit-Limit": "60",
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(int(time.time() + reset_in)),
    }


def now() -> float:
    """The loop's time."""
    return asyncio.get_running_loop().time()


async def sent(host: Host, status: int, headers: Mapping[str, str] | None = None) -> float | None:
    """Send a request as soon as allowed; returns the wait that its answer asks for."""
    await host.wait(FOREVER)
    permit = host.begin()
    assert permit is not None
    await asyncio.sleep(0.1)
    return permit.note(status, headers or {}, b"")


def test_a_host_without_a_limit_has_no_wait() -> None:
    """Answers that are no limit cause no wait either."""

    async def main() -> None:
        host = new_host()
        assert await sent(host, 200, budget(10, 60)) is None
        assert await sent(host, 404) is None
        permit = host.begin()
        assert permit is not None
        assert permit.note(403, {}, b"too big") is None
        assert host.wait_seconds() == 0

    run(main())


@pytest.mark.parametrize("status", [403, 429])
def test_a_refusal_is_remembered_for_its_host(status: int) -> None:
    """The limit applies to all searches, and to that host alone."""

    async def main() -> None:
        limits = HostLimits(ignore, 64)
        assert await sent(limits.host(HOST, "api"), status, {"Retry-After": "50"}) == 50
        assert limits.host(HOST, "api").wait_seconds() == 50
        assert limits.host("gist.githubusercontent.com", "raw").wait_seconds() == 0

    run(main())


def test_a_wait_beyond_the_deadline_is_refused_at_once() -> None:
    """The error says when the host may be asked."""

    async def main() -> None:
        host = new_host()
        await sent(host, 429, {"Retry-After": "50"})
        began = now()
        with pytest.raises(GithubRateLimitedError, match="in 50 seconds") as raised:
            await host.wait(began + 40)
        assert raised.value.retry_after_seconds == 50
        assert now() == began

    run(main())


def test_a_wait_within_the_deadline_is_waited_for() -> None:
    """The request is sent when the wait is over, not earlier."""

    async def main() -> None:
        host = new_host()
        await sent(host, 429, {"Retry-After": "50"})
        assert host.begin() is None
        began = now()
        await host.wait(began + 60)
        assert now() - began == 50
        assert host.begin() is not None

    run(main())


@pytest.mark.parametrize("status", [403, 200])
def test_the_reset_of_a_spent_budget_is_waited_for(status: int) -> None:
    """The primary limit applies until its reset, from the answer that used up the budget."""

    async def main() -> None:
        host = new_host()
        await sent(host, status, budget(0, 90))
        assert host.wait_seconds() == pytest.approx(90, abs=1.5)
        with pytest.raises(
            GithubRateLimitedError, match=r"hourly limit \(60 requests\) is used up"
        ):
            await host.wait(now() + 10)

    run(main())


@pytest.mark.parametrize(
    "fields",
    [
        {"Retry-After": "999999999"},
        {"Retry-After": "9" * 5000},
        {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999999999999999"},
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 10**8)},
    ],
)
def test_a_wait_is_at_most_an_hour(fields: dict[str, str]) -> None:
    """GitHub's window is an hour: no answer can block a host for years."""

    async def main() -> None:
        assert await sent(new_host(), 429, fields) == LONGEST_WAIT_SECONDS == 3600

    run(main())


def test_waits_never_shrink() -> None:
    """An answer to an earlier request does not shorten a later request's wait."""

    async def main() -> None:
        host = new_host()
        permits = [host.begin() for _ in range(3)]
        answers = [(429, {"Retry-After": "50"}), (429, {"Retry-After": "5"}), (200, budget(10, 60))]
        for permit, (status, headers) in zip(permits, answers, strict=True):
            assert permit is not None
            permit.note(status, headers, b"")
        assert host.wait_seconds() == 50

    run(main())


def test_unnamed_waits_double() -> None:
    """Without a stated time it is a minute, then twice as long each time, up to an hour."""

    async def main() -> list[float | None]:
        host = new_host()
        return [await sent(host, 429) for _ in range(8)]

    assert run(main()) == [60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_a_success_in_flight_does_not_end_the_doubling() -> None:
    """Only an answer to a request sent after the refusal shows that it is over."""

    async def main() -> None:
        host = new_host()
        before = [host.begin(), host.begin(), host.begin()]
        assert await sent(host, 429) == 60
        for permit in before:
            assert permit is not None
            permit.note(200, {}, b"")
        assert await sent(host, 429) == 120
        assert await sent(host, 502) is None
        assert await sent(host, 429) == 240
        assert await sent(host, 404) is None
        assert await sent(host, 429) == 60

    run(main())


def test_answers_to_requests_sent_together_count_once() -> None:
    """Sixteen refusals of sixteen concurrent requests are one limit, not sixteen."""

    async def main() -> None:
        host = new_host()
        permits = [host.begin() for _ in range(16)]
        waits = {permit.note(429, {}, b"") for permit in permits if permit is not None}
        assert waits == {60}
        assert await sent(host, 429) == 120

    run(main())


def test_one_request_probes_a_host_after_a_wait() -> None:
    """The others follow if it succeeded, and wait as long again if it did not."""

    async def main() -> None:
        host = new_host()
        await sent(host, 429, {"Retry-After": "50"})
        began, starts = now(), []

        async def one(number: int) -> None:
            while True:
                await host.wait(FOREVER)
                if (permit := host.begin()) is not None:
                    break
            starts.append(now() - began)
            await asyncio.sleep(5)
            refused = number == 0
            permit.note(429 if refused else 200, {"Retry-After": "10"} if refused else {}, b"")

        await asyncio.gather(*[one(number) for number in range(5)])
        assert starts == [50, 65, 70, 70, 70]

    run(main())


def test_a_probe_without_an_answer_is_replaced() -> None:
    """When a probe is cancelled or fails, the next request is sent."""

    async def main() -> None:
        host = new_host()
        await sent(host, 429, {"Retry-After": "50"})
        await host.wait(FOREVER)
        probe = host.begin()
        assert probe is not None
        assert host.begin() is None
        waiting = asyncio.create_task(host.wait(FOREVER))
        await asyncio.sleep(1)
        assert not waiting.done()
        probe.release()
        probe.release()
        await waiting
        assert host.begin() is not None

    run(main())


def test_a_callers_token_has_limits_of_its_own() -> None:
    """The service and other callers do not wait for them, and its budget is not reported."""
    seen: list[Event] = []

    async def main() -> None:
        limits = HostLimits(seen.append, 64)
        await sent(limits.host(HOST, "api", "one"), 403, budget(0, 90))
        assert limits.host(HOST, "api", "one").wait_seconds() > 0
        assert limits.host(HOST, "api", "two").wait_seconds() == 0
        assert limits.host(HOST, "api").wait_seconds() == 0
        for number in range(1100):
            limits.host(HOST, "api", f"token {number}")
        assert (
            limits.host(HOST, "api", "one").wait_seconds() == 0
        )  # dropped: their number is bounded

    run(main())
    assert not [event for event in seen if isinstance(event, GithubBudgetSeen)]


def test_limits_are_events() -> None:
    """Each budget and each limit is an event."""
    seen: list[Event] = []

    async def main() -> None:
        host = new_host(seen)
        await sent(host, 200, budget(7, 60))
        await sent(host, 429, {"Retry-After": "5"})
        await sent(host, 403, {**budget(0, 60), "Retry-After": "6"})

    run(main())
    assert [event for event in seen if isinstance(event, GithubLimited)] == [
        GithubLimited(HOST, "secondary", 5),
        GithubLimited(HOST, "primary", 6),
    ]
    budgets = [event for event in seen if isinstance(event, GithubBudgetSeen)]
    assert [(seen.limit, seen.remaining) for seen in budgets] == [(60, 7), (60, 0)]
    assert [seen.reset_seconds for seen in budgets] == [pytest.approx(60, abs=1.5)] * 2
