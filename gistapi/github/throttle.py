"""How fast a host may be asked: concurrency and pace that follow what the host shows.

Additive increase and multiplicative decrease, as TCP: https://www.rfc-editor.org/rfc/rfc5681.
Concurrency alone cannot hold a host's limit of requests a second where answers are fast, so a
refusal also sets a pace: a part of the rate at which the host has just accepted requests, which
rises slowly near that rate and faster beyond it.
"""

from __future__ import annotations

import asyncio
from collections import deque

from gistapi.aio.limiter import FairLimiter, Lane, Places

PACE_FACTOR = 0.75
"""Of the rate at which a host has refused, where the pace begins after a refusal."""
PACE_GAIN = 1.002
"""For each accepted request: some 120 of them lead to the rate of the last refusal …"""
NEAR = 0.05
NEAR_GAIN = 1.0002
"""… and 500 past it, as CUBIC does: https://www.rfc-editor.org/rfc/rfc9438"""
HEARD = 0.25
"""Of the time that the first answer took: the others of its round are heard before more is sent."""
FASTEST_PACE = 200.0
"""Faster than that, only the concurrency bounds."""
SLOWEST_PACE = 0.1
MEASURED_SECONDS = 1.0
SLOW_FACTOR = 4.0
SLOW_SECONDS = 1.0
"""A host has slowed down when its answers take longer than both say."""
SMOOTHING = 8


class Throttle:
    """One host's concurrency in force, at most `most`, and pace. Times are `loop.time()` seconds.

    Only answers to requests sent after the last decrease decrease again: requests that were under
    way together count once.
    """

    def __init__(self, most: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._most = most
        self._window = float(most)  # one search gets its share of it at most
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
        """How many requests may be under way at once."""
        return int(self._window)

    @property
    def pace(self) -> float | None:
        """Requests a second: a part of the rate of the last refusal; None without one."""
        return None if self._limit is None else max(SLOWEST_PACE, self._limit * self._part)

    def place(self, lane: Lane) -> Places:
        """A context that holds one of the places in force, which go round the searches in turn."""
        self._limiter.per_lane = lane.most  # the same for all searches
        return self._limiter.beside(lane).place()

    def delay_seconds(self) -> float:
        """How long a new request would wait for the pace."""
        return max(0.0, self._next_at - self._loop.time()) if self._limit is not None else 0.0

    async def keep_pace(self) -> None:
        """Wait for this request's moment."""
        decreased_at = None
        while decreased_at != self._decreased_at:
            decreased_at, now = self._decreased_at, self._loop.time()
            mine = max(now, self._next_at)
            if (pace := self.pace) is not None:
                self._next_at = mine + 1 / pace
            if mine > now:
                await asyncio.sleep(mine - now)

    def accepted(self, sent_at: float) -> None:
        """Count an answer that is no refusal."""
        now = self._loop.time()
        self._accepted.append(now)
        if self._limit is not None:
            if self._is_measuring and sent_at <= self._decreased_at:
                self._limit += 1 / MEASURED_SECONDS
            self._part *= NEAR_GAIN if abs(self._part - 1) < NEAR else PACE_GAIN
            if self._limit * self._part > FASTEST_PACE:
                self._limit = None
        if self._usual is None and self._limiter.held > 1:
            self._next_at = now + HEARD * (now - sent_at)
        if self._has_slowed(now - sent_at):
            self._decrease(sent_at)
        elif self._limiter.free <= 0:  # else the bound has not been tried
            self._window = min(self._most, self._window + 1 / self._window)
            self._limiter.resize(int(self._window))

    def refused(self, sent_at: float) -> None:
        """Halve the concurrency, and set a pace below what the host has accepted."""
        if sent_at <= self._decreased_at:
            return
        since = self._loop.time() - MEASURED_SECONDS
        rate = sum(at >= since for at in self._accepted) / MEASURED_SECONDS
        pace = self.pace
        self._is_measuring = pace is None and rate > 0  # what is under way counts later
        if pace is not None:  # a pause before may have left few to measure
            rate = min(pace, max(rate, pace / 2))
        if rate:  # else nothing has been accepted that could be measured
            self._limit, self._part = rate, PACE_FACTOR
        self._next_at = self._loop.time()
        self._decrease(sent_at)

    def failed(self, sent_at: float) -> None:
        """Halve the concurrency: the host answers with errors, or not at all."""
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
        self._smoothed = self._usual  # measured again after the decrease
        return True
