"""The list of what tasks are waiting for, which an operator can request."""

from __future__ import annotations

import asyncio

from gistapi.aio.limiter import WorkWindow
from gistapi.aio.portal import Portal


def test_tasks_are_listed_by_what_they_wait_for() -> None:
    """Each entry has their kind, the innermost line of ours, and their number."""
    portal = Portal()

    async def start() -> list[asyncio.Task[None]]:
        window = WorkWindow(1)
        await window.take_all()
        tasks = [
            asyncio.create_task(window.take_all(), name=f"gist {number}") for number in range(3)
        ]
        await asyncio.sleep(0)
        return tasks

    try:
        tasks = portal.call(start())
        (waiters,) = [line for line in portal.waiting() if "limiter.py" in line]
        assert waiters.startswith("gist at aio/limiter.py:")
        assert waiters.endswith(" _wait_for (3)")
        assert len(tasks) == 3
    finally:
        portal.close()
