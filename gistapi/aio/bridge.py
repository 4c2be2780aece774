"""Lets a library that blocks, in a worker thread, make requests on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, TypeVar

from gistapi.aio.executors import in_thread
from gistapi.errors import CancelledError, OverloadedError

T = TypeVar("T")


class Bridge:
    """Lets a thread run coroutines on the loop while the task that started the thread lives."""

    def __init__(self, executor: Executor) -> None:
        self._loop = asyncio.get_running_loop()
        self._executor = executor
        self._asked: set[Future[Any]] = set()
        self._over = False

    def ask(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """In the thread: run a coroutine on the loop and wait for its result.

        Raises CancelledError once the task has been cancelled, and what the coroutine raises.
        """
        if self._over:
            coroutine.close()
            raise CancelledError("The work was cancelled.")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        self._asked.add(future)
        if self._over:  # cancelled between the two lines above
            future.cancel()
        try:
            return future.result()
        finally:
            self._asked.discard(future)

    async def run(self, work: Callable[[Bridge], T]) -> T:
        """On the loop: run `work` in a thread of the executor.

        Cancelling the task makes the thread's current or next `ask` raise, and waits for its end.
        Raises OverloadedError if there is no thread.
        """
        try:
            thread = in_thread(self._executor, partial(work, self))
        except OverloadedError:
            self._over = True  # the work stays in the executor's queue
            raise
        try:
            return await asyncio.shield(thread)
        except asyncio.CancelledError:
            self._over = True
            for future in list(self._asked):
                future.cancel()
            await asyncio.wait([thread])
            thread.exception()
            raise
