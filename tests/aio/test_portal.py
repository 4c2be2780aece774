"""Threads read what tasks send; closing the reader ends the task."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from contextvars import ContextVar

import pytest

from gistapi.aio import portal as module
from gistapi.aio.portal import Outbox, Portal

HANG_SECONDS = 30


@pytest.fixture
def portal() -> Iterator[Portal]:
    """Yield a portal that is closed afterwards."""
    ours = Portal()
    yield ours
    ours.close()


def test_a_thread_reads_what_a_task_sends(portal: Portal) -> None:
    """All items arrive in order, then the end; the task runs in the caller's context."""
    who: ContextVar[str] = ContextVar("who")
    who.set("me")

    async def work(outbox: Outbox[str]) -> None:
        for number in range(1000):
            outbox.send(f"{who.get()} {number}")
            await outbox.room()

    assert list(portal.stream(work)) == [f"me {number}" for number in range(1000)]


def test_an_error_of_the_task_reaches_the_reader(portal: Portal) -> None:
    """It is raised after the items that were sent before it."""

    async def work(outbox: Outbox[int]) -> None:
        outbox.send(1)
        raise ZeroDivisionError

    items = portal.stream(work)
    assert next(items) == 1
    with pytest.raises(ZeroDivisionError):
        next(items)


@pytest.mark.parametrize("read", [0, 1])
def test_closing_the_reader_cancels_the_task(portal: Portal, read: int) -> None:
    """This also holds when nothing was read."""
    ended = threading.Event()

    async def work(outbox: Outbox[int]) -> None:
        outbox.send(1)
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with closing(portal.stream(work)) as items:
        next(items)
        for _ in range(read - 1):
            next(items)
    assert ended.wait(HANG_SECONDS)


def test_items_of_one_round_wake_the_reader_once(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless the reader is to have each of them at once."""
    woken: list[threading.Condition] = []
    outboxes: list[Outbox[int]] = []
    notify = threading.Condition.notify

    def noted(condition: threading.Condition, n: int = 1) -> None:
        woken.append(condition)
        notify(condition, n)

    monkeypatch.setattr(threading.Condition, "notify", noted)

    async def work(outbox: Outbox[int]) -> None:
        outboxes.append(outbox)
        for number in range(10):
            outbox.send(number)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    counts = []
    for prompt in (False, True):
        assert list(portal.stream(work, prompt=prompt)) == list(range(10))
        counts.append(woken.count(outboxes[-1]._changed))
    assert counts == [2, 11]


def test_a_reader_far_behind_makes_the_sender_wait(portal: Portal) -> None:
    """At most UNREAD items are queued."""
    sent = 0

    async def work(outbox: Outbox[int]) -> None:
        nonlocal sent
        for _ in range(3 * module.UNREAD):
            await outbox.room()
            sent += 1
            outbox.send(sent)

    items = portal.stream(work)
    assert next(items) == 1
    portal.call(asyncio.sleep(0))
    assert sent <= 2 * module.UNREAD
    assert list(items)[-1] == 3 * module.UNREAD


def test_a_thread_that_failed_to_start_is_started_by_the_next_call(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed start leaves nothing behind."""
    with monkeypatch.context() as patch:

        def refuse(_thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            portal.call(asyncio.sleep(0))
    assert portal.call(asyncio.sleep(0, "works")) == "works"


def test_closing_the_portal_ends_what_runs() -> None:
    """Tasks are cancelled, the thread ends, and closing twice is allowed."""
    portal = Portal()
    cancelled = threading.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def start() -> asyncio.Task[None]:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        return task

    portal.call(start())
    portal.close()
    portal.close()
    assert cancelled.is_set()
    assert not any(thread.name == "gistapi-loop" for thread in threading.enumerate())
