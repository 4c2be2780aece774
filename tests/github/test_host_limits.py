"""When a host may be asked again."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import pytest

from gistapi.aio.deadline import Deadline
from gistapi.errors import CancelledError, DeadlineError, GithubRateLimitedError
from gistapi.events import Event, GithubBudgetSeen, GithubLimited, ignore
from gistapi.github.host_limits import LONGEST_UNTOLD_WAIT_SECONDS, HostLimits

HOST = "api.github.com"


@pytest.fixture
def limits() -> HostLimits:
    """Give limits that nobody has met yet."""
    return HostLimits(ignore)


def budget(remaining: int, reset_in: float) -> Mapping[str, str]:
    """The fields of the primary limit."""
    return {
        "X-RateLimit-Limit": "60",
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(int(time.time() + reset_in)),
    }


def time_passes(limits: HostLimits) -> None:
    """Let what was asked for be over."""
    limits._hosts[HOST].until = 0.0


def test_a_host_that_asked_for_nothing_may_be_asked(limits: HostLimits) -> None:
    """No wait without a reason, and none for what is no limit."""
    limits.wait(HOST, Deadline(0))
    assert limits.note(HOST, 200, budget(10, 60), b"") is None
    assert limits.note(HOST, 404, {}, b"") is None
    assert limits.note(HOST, 403, {}, b"too big") is None
    assert limits.wait_seconds(HOST) == 0


@pytest.mark.parametrize("status", [403, 429])
def test_a_refusal_is_remembered_for_its_host(limits: HostLimits, status: int) -> None:
    """What one search was told holds for all, and for that host alone."""
    assert limits.note(HOST, status, {"Retry-After": "50"}, b"") == 50
    assert 49 < limits.wait_seconds(HOST) <= 50
    assert limits.wait_seconds("gist.githubusercontent.com") == 0


def test_a_wait_beyond_the_deadline_is_refused_at_once(limits: HostLimits) -> None:
    """Who can't wait that long is told how long it would be."""
    limits.note(HOST, 429, {"Retry-After": "50"}, b"")
    with pytest.raises(GithubRateLimitedError, match="50 more seconds") as raised:
        limits.wait(HOST, Deadline(40))
    assert 49 < raised.value.retry_after_seconds <= 50


def test_a_wait_within_the_deadline_is_waited(limits: HostLimits) -> None:
    """The host may be asked when its time has come, not before."""
    limits.note(HOST, 429, {"Retry-After": "1"}, b"")
    began = time.monotonic()
    limits.wait(HOST, Deadline(30))
    assert time.monotonic() - began > 0.9


def test_work_that_has_to_stop_does_not_wait(limits: HostLimits) -> None:
    """A deadline that has passed, and a call to stop, come before the limit."""
    limits.note(HOST, 429, {"Retry-After": "50"}, b"")
    with pytest.raises(DeadlineError):
        limits.wait(HOST, Deadline(0))
    deadline = Deadline(100)
    threading.Timer(0.05, deadline.cancel).start()
    with pytest.raises(CancelledError):
        limits.wait(HOST, deadline)


def test_the_reset_of_a_spent_budget_is_waited_for(limits: HostLimits) -> None:
    """The primary limit holds until its reset."""
    assert limits.note(HOST, 403, budget(0, 90), b"") == pytest.approx(90, abs=1.5)
    assert limits.wait_seconds(HOST) == pytest.approx(90, abs=1.5)


def test_the_last_of_a_budget_is_remembered(limits: HostLimits) -> None:
    """A good answer that leaves nothing keeps the next request from being sent."""
    assert limits.note(HOST, 200, budget(0, 90), b"") is None
    assert limits.wait_seconds(HOST) == pytest.approx(90, abs=1.5)


def test_waits_never_shrink(limits: HostLimits) -> None:
    """An answer to an earlier request does not undo what a later one asked for."""
    limits.note(HOST, 429, {"Retry-After": "50"}, b"")
    limits.note(HOST, 429, {"Retry-After": "5"}, b"")
    limits.note(HOST, 200, budget(10, 60), b"")
    assert limits.wait_seconds(HOST) > 49


def test_untold_waits_double(limits: HostLimits) -> None:
    """Without a told time it is a minute, then twice as long each time, to an hour at most."""
    waits = []
    for _ in range(8):
        waits.append(limits.note(HOST, 429, {}, b""))
        time_passes(limits)
    assert waits == [60, 120, 240, 480, 960, 1920, LONGEST_UNTOLD_WAIT_SECONDS, 3600]


def test_a_good_answer_ends_the_doubling(limits: HostLimits) -> None:
    """After a success the next limit is a minute again; an error is no success."""
    limits.note(HOST, 429, {}, b"")
    time_passes(limits)
    limits.note(HOST, 502, {}, b"")
    assert limits.note(HOST, 429, {}, b"") == 120
    time_passes(limits)
    limits.note(HOST, 200, {}, b"")
    assert limits.note(HOST, 429, {}, b"") == 60


def test_answers_to_requests_sent_together_count_once(limits: HostLimits) -> None:
    """Sixteen refusals of sixteen requests under way are one limit, not sixteen."""
    limits.note(HOST, 429, {"Retry-After": "1"}, b"")
    assert {limits.note(HOST, 429, {}, b"") for _ in range(16)} == {60}
    time_passes(limits)
    threads = [threading.Thread(target=limits.note, args=(HOST, 429, {}, b"")) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert limits.wait_seconds(HOST) == pytest.approx(60, abs=1)


def test_limits_are_told() -> None:
    """Each budget and each limit is an event."""
    told: list[Event] = []
    limits = HostLimits(told.append)
    limits.note(HOST, 200, budget(7, 60), b"")
    limits.note(HOST, 429, {"Retry-After": "5"}, b"")
    limits.note(HOST, 403, {**budget(0, 60), "Retry-After": "6"}, b"")
    assert [event for event in told if isinstance(event, GithubLimited)] == [
        GithubLimited(HOST, "secondary", 5),
        GithubLimited(HOST, "primary", 6),
    ]
    budgets = [event for event in told if isinstance(event, GithubBudgetSeen)]
    assert [(seen.limit, seen.remaining) for seen in budgets] == [(60, 7), (60, 0)]
    assert [seen.reset_seconds for seen in budgets] == [pytest.approx(60, abs=1.5)] * 2
