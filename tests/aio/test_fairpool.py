"""Threads that many searches share by turns."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial

import pytest

from gistapi.aio.fairpool import FairPool, Lane

WAIT_SECONDS = 10.0

who: ContextVar[str] = ContextVar("who", default="nobody")


class Gate:
    """Work that waits until it is let go; counts who runs, and who ran at once at most."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.changed = threading.Condition()
        self.begun = self.running = self.peak = self.done = 0

    def work(self) -> None:
        """Be counted, and wait."""
        self._count(1)
        assert self.open.wait(WAIT_SECONDS)
        self._count(-1)

    def wait_for(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds of the counts."""
        with self.changed:
            assert self.changed.wait_for(holds, WAIT_SECONDS)

    def _count(self, step: int) -> None:
        with self.changed:
            self.running += step
            self.begun += step > 0
            self.done += step < 0
            self.peak = max(self.peak, self.running)
            self.changed.notify_all()


def held(until: threading.Event) -> None:
    """Keep a thread busy."""
    assert until.wait(WAIT_SECONDS)


def settled(pool: FairPool) -> None:
    """Wait until no thread of the pool has anything to do."""
    until = time.monotonic() + WAIT_SECONDS
    while pool._idle < pool._started:
        assert time.monotonic() < until
        time.sleep(0.001)


def test_no_more_threads_than_allowed() -> None:
    """Of much work in many lanes, as much runs at once as there are threads."""
    pool, gate = FairPool(3, 2), Gate()
    for lane in [pool.lane() for _ in range(4)]:
        for _ in range(5):
            lane.submit(gate.work)
    gate.wait_for(lambda: gate.running == 3)
    gate.open.set()
    gate.wait_for(lambda: gate.done == 20)
    assert gate.peak == 3


def test_one_lane_has_its_share_and_no_more() -> None:
    """A single lane never uses more than its share, and another begins at once beside it."""
    pool, gate, other = FairPool(4, 2), Gate(), Gate()
    lane = pool.lane()
    for _ in range(6):
        lane.submit(gate.work)
    gate.wait_for(lambda: gate.running == 2)
    pool.lane().submit(other.work)
    other.wait_for(lambda: other.running == 1)
    assert pool._started == 3
    gate.open.set()
    other.open.set()
    gate.wait_for(lambda: gate.done == 6)
    assert gate.peak == 2


@pytest.mark.parametrize("round_", range(20))
def test_a_burst_wakes_as_many_threads_as_it_needs(round_: int) -> None:
    """Work that comes all at once to idle threads runs side by side, each time."""
    del round_
    pool, gate = FairPool(8, 4), Gate()
    first = Gate()
    first.open.set()
    lane = pool.lane()
    lane.submit(first.work)
    first.wait_for(lambda: first.done == 1)
    settled(pool)
    for _ in range(4):
        lane.submit(gate.work)
    gate.wait_for(lambda: gate.running == 4)
    gate.open.set()


def test_threads_start_when_they_are_needed() -> None:
    """A pool without work has no thread; a thread that is idle is used before a new one starts."""
    pool, gate = FairPool(8, 8), Gate()
    gate.open.set()
    assert pool._started == 0
    lane = pool.lane()
    for done in range(1, 6):
        lane.submit(gate.work)
        gate.wait_for(lambda done=done: gate.done == done)  # type: ignore[misc]
        settled(pool)
    assert pool._started == 1


def test_a_short_lane_does_not_queue_behind_a_long_one() -> None:
    """Three pieces beside three thousand that came before are done long before those."""
    pool, order = FairPool(2, 2), list[str]()
    start, ended = threading.Event(), threading.Event()
    long, short = pool.lane(), pool.lane()
    for _ in range(2):
        long.submit(partial(held, start))
    for _ in range(3000):
        long.submit(lambda: order.append("long"))
    for _ in range(3):
        short.submit(lambda: order.append("short"))
    long.submit(ended.set)
    start.set()
    assert ended.wait(WAIT_SECONDS)
    give_up = time.monotonic() + WAIT_SECONDS
    while order.count("long") < 3000:  # the other thread is at its last piece
        assert time.monotonic() < give_up
    assert max(i for i, name in enumerate(order) if name == "short") < 1000


def test_lanes_take_turns() -> None:
    """One thread serves three lanes in rotation, each in the order of its own work."""
    pool, order, start, ended = FairPool(1, 1), list[str](), threading.Event(), threading.Event()
    pool.lane().submit(partial(held, start))
    for name in "abc":
        lane = pool.lane()
        for number in range(3):
            lane.submit(lambda said=f"{name}{number}": order.append(said))  # type: ignore[misc]
    pool.lane().submit(lambda: None)
    last = pool.lane()
    for _ in range(4):
        last.submit(lambda: None)
    last.submit(ended.set)
    start.set()
    assert ended.wait(WAIT_SECONDS)
    assert order == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]


def test_a_closed_lane_drops_what_has_not_begun() -> None:
    """What runs goes on to its end; what waits and what comes later is never done."""
    pool, gate, ran = FairPool(1, 1), Gate(), list[str]()
    lane = pool.lane()
    lane.submit(gate.work)
    lane.submit(lambda: ran.append("waiting"))
    gate.wait_for(lambda: gate.running == 1)
    lane.close()
    lane.submit(lambda: ran.append("late"))
    gate.open.set()
    settled(pool)
    assert ran == []
    assert gate.done == 1


def test_closing_lanes_while_they_work_loses_no_thread() -> None:
    """Lanes that close at any moment leave the pool whole."""
    pool = FairPool(4, 2)
    for _ in range(200):
        lane = pool.lane()
        for _ in range(8):
            lane.submit(lambda: None)
        lane.close()
    gate = Gate()
    for lane in [pool.lane() for _ in range(4)]:
        lane.submit(gate.work)
    gate.wait_for(lambda: gate.running == 4)
    gate.open.set()


def test_lanes_that_take_long_leave_room_for_who_comes_next() -> None:
    """None holds more threads than are free; one after the other, eight lanes begin at once."""
    pool, gate = FairPool(64, 16), Gate()
    for running in (16, 32, 48, 56, 60, 62, 63, 64):
        lane = pool.lane()
        for _ in range(40):
            lane.submit(gate.work)
        gate.wait_for(lambda running=running: gate.running == running)  # type: ignore[misc]
    gate.open.set()
    gate.wait_for(lambda: gate.done == 320)


def test_what_ends_in_one_lane_lets_another_have_more() -> None:
    """A lane that was held back gets threads as they become free, without new work to wake them."""
    pool, long, other = FairPool(8, 8), Gate(), Gate()
    first, second = pool.lane(), pool.lane()
    for _ in range(4):
        first.submit(long.work)
    long.wait_for(lambda: long.running == 4)
    for _ in range(4):
        second.submit(other.work)
    other.wait_for(lambda: other.running == 2)
    long.open.set()
    other.wait_for(lambda: other.running == 4)
    other.open.set()


def test_an_error_is_logged_and_ends_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    """Work that raises, were it SystemExit, is told in the log; its thread and lane go on."""
    pool, ended = FairPool(1, 1), threading.Event()
    lane = pool.lane()

    def fail() -> None:
        raise SystemExit("a fault")

    with caplog.at_level(logging.ERROR):
        lane.submit(fail)
        lane.submit(ended.set)
        assert ended.wait(WAIT_SECONDS)
    assert [record.getMessage() for record in caplog.records] == [
        "A piece of work raised an error, which it must not."
    ]
    assert "a fault" in caplog.text


def test_work_has_the_context_of_who_opened_the_lane() -> None:
    """Each piece sees the opener's variables, and none sees what another set."""
    pool, seen, ended = FairPool(1, 1), list[str](), threading.Event()
    token = who.set("the caller")
    lane: Lane = pool.lane()
    who.reset(token)

    def look() -> None:
        seen.append(who.get())
        who.set("somebody else")

    lane.submit(look)
    lane.submit(look)
    lane.submit(ended.set)
    assert ended.wait(WAIT_SECONDS)
    assert seen == ["the caller", "the caller"]
