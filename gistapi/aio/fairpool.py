"""Threads that many searches share by turns."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context

Work = Callable[[], None]

_log = logging.getLogger(__name__)


class FairPool:
    """At most `threads` pieces of work at once, at most `per_lane` of them for one lane.

    A free thread takes its next piece from the lane whose turn it is, so that a short search
    beside a long one does not queue behind it. Beyond its first, a lane gets a thread only while
    more are free than it has: lanes whose pieces take long leave some for who comes next.

    Whenever a piece may begin, a thread is on its way to take it, or looks for the next itself;
    who takes a piece sends for another thread where one more may begin. Threads start when they
    are first needed.
    """

    def __init__(self, threads: int, per_lane: int) -> None:
        self._threads = threads
        self._per_lane = per_lane
        self._changed = threading.Condition()
        self._turns: deque[Lane] = deque()
        self._started = 0
        self._running = 0
        self._idle = 0  # threads that wait and that nobody has woken yet
        self._coming = False  # one was woken or started, and has not looked yet

    def lane(self) -> Lane:
        """A queue of work of its own; pieces run in a copy of the caller's context."""
        return Lane(self)

    def _submit(self, lane: Lane, work: Work) -> None:
        with self._changed:
            if lane.closed:
                return
            lane.queue.append(work)
            if lane not in self._turns:
                self._turns.append(lane)
            self._send()

    def _close(self, lane: Lane) -> None:
        with self._changed:
            lane.closed = True
            lane.queue.clear()

    def _send(self) -> None:
        """Send for a thread if a piece may begin and none is on its way (under the lock)."""
        if self._coming or not any(map(self._may_begin, self._turns)):
            return
        if self._idle:
            self._idle -= 1
            self._coming = True
            self._changed.notify()
        elif self._started < self._threads:
            self._started += 1
            self._coming = True
            name = f"gistapi-pool-{self._started}"
            threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        is_new = True
        while True:
            lane, work = self._take(is_new=is_new)
            is_new = False
            try:
                lane.context.copy().run(work)
            except BaseException:  # noqa: BLE001 - the thread serves other searches too
                _log.exception("A piece of work raised an error, which it must not.")
            with self._changed:
                lane.running -= 1
                self._running -= 1
            del lane, work

    def _take(self, *, is_new: bool) -> tuple[Lane, Work]:
        with self._changed:
            if is_new:
                self._coming = False
            while (lane := self._next()) is None:
                self._idle += 1
                self._changed.wait()
                self._coming = False
            lane.running += 1
            self._running += 1
            work = lane.queue.popleft()
            self._send()
            return lane, work

    def _next(self) -> Lane | None:
        """The first lane in turn that may begin a piece; its next turn is the last."""
        for _ in range(len(self._turns)):
            lane = self._turns.popleft()
            if lane.queue:
                self._turns.append(lane)
                if self._may_begin(lane):
                    return lane
        return None

    def _may_begin(self, lane: Lane) -> bool:
        free = self._threads - self._running
        return bool(lane.queue) and lane.running < max(1, min(self._per_lane, free))


class Lane:
    """One search's share of a FairPool."""

    def __init__(self, pool: FairPool) -> None:
        self.context = copy_context()
        self.queue: deque[Work] = deque()
        self.running = 0
        self.closed = False
        self._pool = pool

    def submit(self, work: Work) -> None:
        """Have `work` done by a thread of the pool, which logs what it raises; none once closed."""
        self._pool._submit(self, work)  # noqa: SLF001 - two halves of one thing

    def close(self) -> None:
        """Drop the work that has not begun."""
        self._pool._close(self)  # noqa: SLF001 - two halves of one thing
