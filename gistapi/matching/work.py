"""What one search uses for matching: its turns at threads and workers, and its time limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from gistapi.aio.executors import Threads
from gistapi.aio.growing import GrowingBudget
from gistapi.aio.limiter import Lane
from gistapi.aio.scope import CancelSwitch
from gistapi.errors import PatternTimeoutError
from gistapi.events import Observer
from gistapi.matching import worker
from gistapi.matching.jobs import GIVEN_UP, Job, Share
from gistapi.matching.pattern import CompiledPattern, Engine
from gistapi.matching.wanted import Wanted
from gistapi.matching.window import Sizes
from gistapi.matching.worker_pool import Workers

T = TypeVar("T")

THREADS = 2
"""RE2 holds no lock of the interpreter while it searches, so two threads use two processors."""
SLICE_SECONDS = 0.02
"""A thread's time for one search before it is another's turn."""
USUAL_SECONDS = 0.05
"""A text that takes a thread no longer is not charged: some 50 MB with a usual pattern."""
COST_SECONDS = 1.2e-8
"""RE2's time for an instruction and a byte, at worst."""
CLOCK_SECONDS = 0.005
"""From this elapsed time on, the thread's processor time is read, which is a system call."""
INLINE_SECONDS = 0.005
"""How long the loop collects the matches of one text at once."""
INLINE_COST = 400_000
"""Instructions times bytes that the loop itself may search: 5 ms at worst, as a rule 10 µs."""
MAX_INLINE_COST = 4_000_000
MAX_INLINE_BYTES = 64 << 10
"""The same for a pattern that has proved fast: as a rule 50 µs."""
FAST_SECONDS = 5e-9
USUAL_BYTE_SECONDS = 2e-8
SLOW_SECONDS = 2e-7
"""RE2's time for a byte by which a pattern proves fast enough for the loop, fast enough for larger
texts in a thread, or too slow for those."""
SHOWING_BYTES = 4096
"""A smaller text does not show a pattern's speed, because the automaton is built first."""
START_COST = 20_000_000
"""Instructions times bytes for RE2 in a thread, where it cannot be interrupted: 0.25 s at worst."""
MAX_COST = 200_000_000
"""The same for a pattern that has proved fast on a quarter of that."""
SLOW_COST = 2_000_000
"""The same for a pattern that has proved slow."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The matching resources that all searches of the process share."""

    pattern_timeout_seconds: float
    sizes: Sizes
    workers: Workers
    threads: Threads
    budget: GrowingBudget
    observe: Observer


@dataclass(slots=True)
class Pace:
    """How much RE2 may search at once outside of a worker, adapted to a pattern's measured speed.

    RE2's own bound is far above what patterns usually take, and its automaton may outgrow its
    memory on some texts only.
    """

    inline_cost: int = INLINE_COST
    cost: int = START_COST
    is_slow: bool = False

    def saw(self, cost: int, size_bytes: int, seconds: float) -> None:
        """Learn from one search in a thread."""
        if seconds > max(SLICE_SECONDS, size_bytes * SLOW_SECONDS):
            self.inline_cost, self.cost, self.is_slow = INLINE_COST, SLOW_COST, True
        if self.is_slow or size_bytes < SHOWING_BYTES:
            return
        if seconds < size_bytes * USUAL_BYTE_SECONDS:
            self.cost = min(MAX_COST, max(self.cost, 4 * cost))
        if seconds < size_bytes * FAST_SECONDS:
            self.inline_cost = min(MAX_INLINE_COST, max(self.inline_cost, 4 * cost))

    def fits(self, engine: Engine, size_bytes: int, *, inline: bool = False) -> bool:
        """Whether a thread may search a text of this size with RE2, or the loop if `inline`."""
        cost = engine.program_size * size_bytes
        if inline:
            return cost <= self.inline_cost and size_bytes <= MAX_INLINE_BYTES
        return cost <= self.cost

    def may_grow(self, engine: Engine, size_bytes: int) -> bool:
        """Whether a thread may search a text of this size once the pattern has proved fast."""
        return not self.is_slow and engine.cost(size_bytes) <= MAX_COST


class Stopwatch:
    """Measures a thread's processor time, by the clock as long as little time has passed.

    Reading the processor time is a system call, too slow for every text.
    """

    def __init__(self) -> None:
        self._at = time.thread_time()

    def seconds_since(self, began: float) -> float:
        """The seconds since a reading of `time.perf_counter`, without the thread's waits."""
        seconds = time.perf_counter() - began
        if seconds > CLOCK_SECONDS:
            now = time.thread_time()
            seconds, self._at = min(seconds, now - self._at), now
        return seconds


class Part(NamedTuple):
    """Matches that a thread found; `rest` is the task that is left when its time was up."""

    spans: list[worker.Span]
    rest: worker.Task | None
    seconds: float


@dataclass
class Work:
    """One search's use of the matching resources. For the loop, except for `search`."""

    pattern: CompiledPattern
    wanted: Wanted
    shared: Shared
    lane: Lane
    pace: Pace = field(default_factory=Pace)
    share: Share = field(default_factory=Share)
    switch: CancelSwitch = field(default_factory=CancelSwitch)

    def engine(self, *, is_ascii: bool, is_empty: bool) -> Engine:
        """The engine for a text."""
        first = self.wanted.spans == 1
        return self.pattern.engine(is_ascii=is_ascii, is_empty=is_empty, first=first)

    def search(
        self,
        engine: Engine,
        text: bytes | bytearray,
        task: worker.Task,
        watch: Stopwatch | None,
    ) -> Part:
        """Find matches with RE2, in the thread of this watch, or on the loop without one.

        Stops between two matches when its slice of time is over.
        """
        most = INLINE_SECONDS if watch is None else SLICE_SECONDS
        start, end, stop, count, after_empty = task
        began = time.perf_counter()
        spans: list[worker.Span] = []
        rest = None
        if count == 1 and not after_empty:  # as a rule
            span = engine.first(text, start, end)
            if span is not None and span[0] < stop:
                spans.append(span)
        else:
            for span in engine.spans(text, start, end, after_empty):
                if span[0] >= stop:
                    break
                spans.append(span)
                if len(spans) == count:
                    break
                if time.perf_counter() - began > most:
                    rest = (span[1], end, stop, count - len(spans), span[0] == span[1])
                    break
        if watch is None:  # the loop's thread may have waited for a processor
            worst = (1 + len(spans)) * engine.cost(end - start) * COST_SECONDS
            spent = min(time.perf_counter() - began, worst)
        else:
            spent = watch.seconds_since(began)
        if end - start > SHOWING_BYTES or spent > SLICE_SECONDS:
            searched = (spans[-1][1] if rest or len(spans) == count else end) - start
            self.pace.saw(engine.cost(searched), searched, spent)
        return Part(spans, rest, spent)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread when it is this search's turn, and return its result."""
        return await self.shared.threads.run(self.lane, work)

    async def ask(self, jobs: Sequence[Job]) -> None:
        """Have workers do these jobs; once the pattern is given up, each fails at once."""
        await self.shared.workers.run(self.share, jobs)

    def check_patience(self) -> None:
        """Raise PatternTimeoutError if the search has given the pattern up."""
        if self.share.is_given_up:
            raise PatternTimeoutError(GIVEN_UP)

    def charge(self, seconds: float, *, timeouts: int = 0) -> None:
        """Count what a thread spent on one text, unless that is no more than usual."""
        if timeouts or seconds > USUAL_SECONDS:
            self.share.charge(seconds, timeouts)
