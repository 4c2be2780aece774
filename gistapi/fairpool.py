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
    beside a long one does not queue behind it. Threads start when they are first needed.

    Whenever a piece may begin, a thread is on its way to take it, or all are busy: `_submit` wakes
    or starts one, and one that has ended its piece looks for the next itself.
    """

    def __init__(self, threads: int, per_lane: int) -> None:
        self._threads = threads
        self._per_lane = per_lane
        self._changed = threading.Condition()
        self._turns: deque[Lane] = deque()
        self._started = 0
        self._idle = 0  # threads that wait and that nobody has woken yet

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
            if lane.running + len(lane.queue) > self._per_lane:
                return  # it begins when another of its lane ends
            if self._idle:
                self._idle -= 1
                self._changed.notify()
            elif self._started < self._threads:
                name = f"gistapi-pool-{self._started + 1}"
                threading.Thread(target=self._serve, name=name, daemon=True).start()
                self._started += 1

    def _close(self, lane: Lane) -> None:
        with self._changed:
            lane.closed = True
            lane.queue.clear()

    def _serve(self) -> None:
        while True:
            lane, work = self._take()
            try:
                lane.context.copy().run(work)
            except BaseException:  # noqa: BLE001 - the thread serves other searches too
                _log.exception("A piece of work raised an error, which it must not.")
            with self._changed:
                lane.running -= 1
            del lane, work

    def _take(self) -> tuple[Lane, Work]:
        with self._changed:
            while (lane := self._next()) is None:
                self._idle += 1
                self._changed.wait()
            lane.running += 1
            return lane, lane.queue.popleft()

    def _next(self) -> Lane | None:
        """The first lane in turn that has work and may begin it; its next turn is the last."""
        for _ in range(len(self._turns)):
            lane = self._turns.popleft()
            if lane.queue:
                self._turns.append(lane)
                if lane.running < self._per_lane:
                    return lane
        return None


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
