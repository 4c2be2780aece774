"""Thread pools that searches use in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

from gistapi.aio.limiter import FairLimiter, Lane
from gistapi.errors import OverloadedError

T = TypeVar("T")


def in_thread(executor: Executor, work: Callable[[], T]) -> asyncio.Future[T]:
    """Begin `work` in a thread of the executor.

    Raises OverloadedError when the executor is closed or the system has no thread to give. Even
    then `work` may stay in the executor's queue, before work that is submitted later.
    """
    try:
        return asyncio.get_running_loop().run_in_executor(executor, work)
    except RuntimeError as error:
        raise OverloadedError("The service has no free thread.", 1.0) from error


class Threads:
    """A pool of threads for one purpose, which searches use in turn.

    Work waits on the loop, not in the executor's queue: there a small search would wait behind all
    work that larger ones have submitted, and their results would occupy the loop before its own.
    """

    def __init__(self, count: int, name: str) -> None:
        self._limiter = FairLimiter(count)
        self._executor = ThreadPoolExecutor(count, name)

    def lane(self, caller: str = "") -> Lane:
        """The place of one search of a caller in the turns."""
        return self._limiter.lane(caller)

    async def run(self, lane: Lane, work: Callable[[], T]) -> T:
        """Run `work` in a thread and return its result.

        `lane` is the search's lane in this limiter or in another one.

        Raises what `work` raises, and OverloadedError when the threads are closed or the system has
        no thread to give.
        """
        async with self._limiter.beside(lane).place():
            return await in_thread(self._executor, work)

    def close(self) -> None:
        """Drop the work that has not begun. Idempotent."""
        self._executor.shutdown(wait=False, cancel_futures=True)
