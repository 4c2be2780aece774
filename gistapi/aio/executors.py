"""Work in an executor's threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from gistapi.errors import OverloadedError

T = TypeVar("T")


def in_thread(executor: Executor, work: Callable[[], T]) -> asyncio.Future[T]:
    """Begin `work` in a thread of the executor.

    Raises OverloadedError when the executor is closed or the system has no thread to give. The
    next work of that executor may then find `work` before it in the queue.
    """
    try:
        return asyncio.get_running_loop().run_in_executor(executor, work)
    except RuntimeError as error:
        raise OverloadedError("The service has no free thread.", 1.0) from error
