"""Threads that many searches share by turns."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context

Work = Callable[[], None]


class FairPool:
    """At most `threads` pieces of work at once, at most `per_lane` of them for one lane.

    A free thread takes its next piece from the lane whose turn it is, so that a short search
    beside a long one does not queue behind it. Threads start when they are first needed.
    """

    def __init__(self, threads: int, per_lane: int) -> None:
        self._threads = threads
        self._per_lane = per_lane
        self._changed = threading.Condition()
        self._turns: deque[Lane] = deque()
        self._started = 0
        self._idle = 0

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
            if self._idle:
                self._changed.notify()
            elif self._started < self._threads:
                self._started += 1
                name = f"gistapi-pool-{self._started}"
                threading.Thread(target=self._serve, name=name, daemon=True).start()

    def _serve(self) -> None:
        while True:
            lane, work = self._take()
            try:
                lane.context.copy().run(work)
            finally:
                with self._changed:
                    lane.running -= 1
                    if lane.queue:
                        self._changed.notify()
                del lane, work

    def _take(self) -> tuple[Lane, Work]:
        with self._changed:
            while True:
                for _ in range(len(self._turns)):
                    lane = self._turns.popleft()
                    if not lane.queue:
                        continue
                    self._turns.append(lane)
                    if lane.running < self._per_lane:
                        lane.running += 1
                        return lane, lane.queue.popleft()
                self._idle += 1
                self._changed.wait()
                self._idle -= 1


class Lane:
    """One search's share of a FairPool."""

    def __init__(self, pool: FairPool) -> None:
        self.context = copy_context()
        self.queue: deque[Work] = deque()
        self.running = 0
        self.closed = False
        self._pool = pool

    def submit(self, work: Work) -> None:
        """Have `work` done by a thread of the pool; it must not raise. Nothing once closed."""
        self._pool._submit(self, work)  # noqa: SLF001 - two halves of one thing

    def close(self) -> None:
        """Drop the work that has not begun."""
        self.closed = True
        self.queue.clear()
