"""An event loop for tests whose clock jumps to the next timer when nothing else can run.

Waits of an hour take no time and are exact; no test sleeps. `run` fails a test in which a callback
holds the loop for longer than SLOW_SECONDS of processor time.
"""

from __future__ import annotations

import asyncio
import logging
import selectors
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):  # pylint: disable=too-many-ancestors
    """Polls without blocking: where it would have blocked, it advances the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now; if nothing is, advance the clock by `timeout`."""
        if timeout is None or (timeout > 0 and self.threads):  # a thread will wake the loop
            return super().select(None)
        ready = super().select(0)
        if not ready and timeout > 0:
            self.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop on simulated time, which stands still while an executor works. Not for sockets."""

    def __init__(self) -> None:
        self._jumping = _Selector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the simulated time in seconds."""
        return self._jumping.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Stop the clock until the work is done."""
        future = super().run_in_executor(executor, func, *args)
        self._jumping.threads += 1
        future.add_done_callback(self._end_thread)
        return future

    def _end_thread(self, _future: object) -> None:
        self._jumping.threads -= 1


class _Warnings(logging.Handler):
    """Collects asyncio's warnings in this thread; the fake GitHub's loop has its own."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message."""
        if record.thread == self._thread:
            self.messages.append(record.getMessage())


def run(coroutine: Coroutine[Any, Any, T], *, jumping: bool = True) -> T:
    """Run a coroutine to completion on a new loop; fail on anything that asyncio logs as a warning.

    Without `jumping` the clock is the real one, for work with threads, sockets or processes.
    """
    complaints = _Warnings()
    logger = logging.getLogger("asyncio")
    logger.addHandler(complaints)
    try:
        factory = JumpingLoop if jumping else asyncio.SelectorEventLoop
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(coroutine)
    finally:
        logger.removeHandler(complaints)
        assert complaints.messages == [], complaints.messages
