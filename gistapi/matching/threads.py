"""The threads in which RE2 searches texts that would block the loop for too long."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gistapi.aio.executors import in_thread
from gistapi.aio.limiter import FairLimiter, Lane

T = TypeVar("T")

THREADS = 2
"""RE2 holds no lock of the interpreter while it searches, so two threads use two processors."""
SLICE_SECONDS = 0.02
"""A thread's time for one search before it is another's turn."""


class Threads:
    """Matching's own threads, shared by turns between the searches. Nothing else uses them."""

    def __init__(self) -> None:
        self._limiter = FairLimiter(THREADS, THREADS)
        self._executor = ThreadPoolExecutor(THREADS, "gistapi-matching")

    def lane(self) -> Lane:
        """One search's place in the turns."""
        return self._limiter.lane()

    async def run(self, lane: Lane, work: Callable[[], T]) -> T:
        """The result of `work`, which should take no longer than SLICE_SECONDS by itself.

        Waits for its turn on the loop. Raises what `work` raises, and OverloadedError when the
        threads are closed or the system has none to give.
        """
        async with lane.place():
            return await in_thread(self._executor, work)

    def close(self) -> None:
        """Drop the work that has not begun. Idempotent."""
        self._executor.shutdown(wait=False, cancel_futures=True)
