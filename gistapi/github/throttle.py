"""Adapts the concurrency and the pace of requests to what a host accepts.

Additive increase and multiplicative decrease, as in TCP: https://www.rfc-editor.org/rfc/rfc5681.
If answers are fast, concurrency alone cannot keep to a host's limit of requests per second. So a
refusal also sets a pace: a fraction of the rate at which the host has just accepted requests. The
pace rises slowly near that rate and faster beyond it.
"""

from __future__ import annotations

import asyncio
from collections import deque

from gistapi.aio.limiter import FairLimiter, Lane, Places

PACE_FACTOR = 0.75
"""The pace after a refusal, as a fraction of the rate at which requests were accepted before it."""
PACE_GAIN = 1.002
"""Growth of the pace per accepted request: 120 requests bring it near the rate of the refusal."""
NEAR = 0.05
"""How close to that rate, as a fraction of it, the pace grows by NEAR_GAIN instead."""
NEAR_GAIN = 1.0002
"""500 requests bring it past that rate, as in CUBIC: https://www.rfc-editor.org/rfc/rfc9438."""
FIRST_PAUSE = 0.25
"""Pause after a host's first answer, as a fraction of its time: the rest of the round arrives."""
FASTEST_PACE = 200.0
"""Requests per second above which there is no pace: only the concurrency is bounded."""
SLOWEST_PACE = 0.1
MEASURED_SECONDS = 1.0
SLOW_FACTOR = 4.0
SLOW_SECONDS = 1.0
"""A host has slowed down if answers take over SLOW_SECONDS and SLOW_FACTOR times the usual time."""
SMOOTHING = 8


class Throttle:
    """Bounds the concurrency, at most `most`, and the pace of the requests to one host.

    Only the answer to a request that was sent after the last decrease causes another, so that
    requests in progress together count once. Times are in `loop.time()` seconds.
    """

    def __init__(self, most: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._most = most
        self._window = float(most)
        self._limiter = FairLimiter(most, most)
        self._decreased_at = float("-inf")
        self._limit: float | None = None
        self._part = PACE_FACTOR
        self._is_measuring = False
        self._next_at = 0.0
        self._accepted: deque[float] = deque(maxlen=int(FASTEST_PACE * MEASURED_SECONDS))
        self._usual: float | None = None
        self._smoothed = 0.0

    @property
    def concurrency(self) -> int:
        """The number of requests that may be in progress at once."""
        return int(self._window)

    @property
    def pace(self) -> float | None:
        """Requests per second, a fraction of the rate at the last refusal; None if unbounded."""
        return None if self._limit is None else max(SLOWEST_PACE, self._limit * self._part)

    def place(self, lane: Lane) -> Places:
        """Return a context that holds one place; searches get places in turn."""
        self._limiter.per_lane = lane.most  # the same for all searches
        return self._limiter.beside(lane).place()

    def delay_seconds(self) -> float:
        """Return how long a new request would wait for the pace."""
        return max(0.0, self._next_at - self._loop.time()) if self._limit is not None else 0.0

    async def keep_pace(self) -> None:
        """Wait until the pace allows this request."""
        decreased_at = None
        while decreased_at != self._decreased_at:
            decreased_at, now = self._decreased_at, self._loop.time()
            due_at = max(now, self._next_at)
            if (pace := self.pace) is not None:
                self._next_at = due_at + 1 / pace
            if due_at > now:
                await asyncio.sleep(due_at - now)

    def accepted(self, sent_at: float) -> None:
        """Record an answer that is not a refusal."""
        now = self._loop.time()
        self._accepted.append(now)
        if self._limit is not None:
            if self._is_measuring and sent_at <= self._decreased_at:
                self._limit += 1 / MEASURED_SECONDS
            self._part *= NEAR_GAIN if abs(self._part - 1) < NEAR else PACE_GAIN
            if self._limit * self._part > FASTEST_PACE:
                self._limit = None
        if self._usual is None and self._limiter.held > 1:
            self._next_at = now + FIRST_PAUSE * (now - sent_at)
        if self._has_slowed(now - sent_at):
            self._decrease(sent_at)
        elif self._limiter.free <= 0:  # else nothing shows that the host allows the present bound
            self._window = min(self._most, self._window + 1 / self._window)
            self._limiter.resize(int(self._window))

    def refused(self, sent_at: float) -> None:
        """Halve the concurrency, and set a pace below the rate that the host has accepted."""
        if sent_at <= self._decreased_at:
            return
        since = self._loop.time() - MEASURED_SECONDS
        rate = sum(at >= since for at in self._accepted) / MEASURED_SECONDS
        pace = self.pace
        self._is_measuring = pace is None and rate > 0  # `accepted` adds requests in progress
        if pace is not None:  # after a pause, few requests were accepted in the measured time
            rate = min(pace, max(rate, pace / 2))
        if rate:  # else no rate is known
            self._limit, self._part = rate, PACE_FACTOR
        self._next_at = self._loop.time()
        self._decrease(sent_at)

    def failed(self, sent_at: float) -> None:
        """Halve the concurrency, since the host answers with errors or not at all."""
        self._decrease(sent_at)

    def _decrease(self, sent_at: float) -> None:
        if sent_at > self._decreased_at:
            self._decreased_at = self._loop.time()
            self._window = max(1.0, self._window / 2)
            self._limiter.resize(int(self._window))

    def _has_slowed(self, seconds: float) -> bool:
        if self._usual is None:
            self._usual = self._smoothed = seconds
        self._usual = min(seconds, self._usual * 1.002)
        self._smoothed += (seconds - self._smoothed) / SMOOTHING
        if self._smoothed < max(SLOW_SECONDS, SLOW_FACTOR * self._usual):
            return False
        self._smoothed = self._usual  # measure again after the decrease
        return True
