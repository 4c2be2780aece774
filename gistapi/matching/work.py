"""What one search uses to match: its turns at the threads and workers, and its patience."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from gistapi.aio.limiter import Lane
from gistapi.aio.scope import CancelSwitch
from gistapi.errors import PatternTimeoutError
from gistapi.events import Observer
from gistapi.matching import worker
from gistapi.matching.jobs import GIVEN_UP, Job, Share
from gistapi.matching.memory_budget import WindowBudget
from gistapi.matching.pattern import CompiledPattern, Engine
from gistapi.matching.threads import Threads
from gistapi.matching.wanted import Wanted
from gistapi.matching.window import Sizes
from gistapi.matching.worker_pool import Workers

T = TypeVar("T")

USUAL_SECONDS = 0.05
"""A thread's time for one text that costs a search no patience: some 50 MB of a usual pattern."""
INLINE_COST = 100_000
"""Instructions times bytes that the loop itself may search: 1 ms at worst, as a rule 10 µs."""
MAX_INLINE_COST = 2_000_000
MAX_INLINE_BYTES = 16 << 10
"""The same for a pattern that was seen to be fast."""
START_COST = 20_000_000
"""Instructions times bytes for RE2 in a thread, where nobody can interrupt it: 0.25 s at worst."""
MAX_COST = 200_000_000
"""The same for a pattern that was seen to be fast on a quarter of that."""
SLOW_COST = 2_000_000
"""The same for a pattern that was seen to be slow."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all searches of the process share."""

    pattern_timeout_seconds: float
    sizes: Sizes
    workers: Workers
    threads: Threads
    budget: WindowBudget
    observe: Observer


@dataclass(slots=True)
class Pace:
    """How much RE2 may do at once outside of a worker, by what a pattern was seen to take.

    RE2's own bound is far above what patterns usually take, and its automaton may outgrow its
    memory on some texts only.
    """

    inline_cost: int = INLINE_COST
    cost: int = START_COST

    def saw(self, cost: int, size_bytes: int, seconds: float) -> None:
        """Learn from one search in a thread."""
        if seconds > max(0.02, size_bytes * 2e-7):
            self.inline_cost, self.cost = INLINE_COST, SLOW_COST
        elif size_bytes > 4096 and seconds < size_bytes * 2e-8 and self.cost != SLOW_COST:  # noqa: PLR2004 - 50 MB/s
            self.inline_cost = min(MAX_INLINE_COST, max(self.inline_cost, 4 * cost))
            self.cost = min(MAX_COST, max(self.cost, 4 * cost))

    def is_inline(self, engine: Engine, size_bytes: int) -> bool:
        """Whether the loop may search so much with RE2."""
        cost = engine.cost(size_bytes)
        return cost <= INLINE_COST or (cost <= self.inline_cost and size_bytes <= MAX_INLINE_BYTES)

    def fits_thread(self, engine: Engine, size_bytes: int) -> bool:
        """Whether a thread may search so much: RE2 alone, and only so much."""
        return engine.name == worker.RE2 and engine.cost(size_bytes) <= self.cost


class Part(NamedTuple):
    """Matches that a thread found; `rest` is the task that is left when its time was up."""

    spans: list[worker.Span]
    rest: worker.Task | None
    seconds: float


@dataclass
class Work:
    """One search's part in all that. For the loop, but for `search`."""

    pattern: CompiledPattern
    wanted: Wanted
    shared: Shared
    lane: Lane
    pace: Pace = field(default_factory=Pace)
    share: Share = field(default_factory=Share)
    switch: CancelSwitch = field(default_factory=CancelSwitch)

    def engine(self, *, is_ascii: bool, is_empty: bool) -> Engine:
        """What a text is searched with."""
        return self.pattern.engine(
            is_ascii=is_ascii, is_empty=is_empty, first=self.wanted.spans == 1
        )

    def search(
        self, engine: Engine, text: bytes | bytearray, task: worker.Task, seconds: float
    ) -> Part:
        """RE2's matches, found in this thread. Stops between two of them after `seconds`."""
        start, end, stop, count, after_empty = task
        began = time.thread_time()
        spans: list[worker.Span] = []
        rest = None
        for span in engine.spans(text, start, end, after_empty):
            if span[0] >= stop:
                break
            spans.append(span)
            if len(spans) == count:
                break
            if time.thread_time() - began > seconds:
                rest = (span[1], end, stop, count - len(spans), span[0] == span[1])
                break
        spent = time.thread_time() - began
        searched = (spans[-1][1] if rest or len(spans) == count else end) - start
        self.pace.saw(engine.cost(searched), searched, spent)
        return Part(spans, rest, spent)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """The result of `work`, done by one of matching's threads when it is this search's turn."""
        return await self.shared.threads.run(self.lane, work)

    async def ask(self, jobs: Sequence[Job]) -> None:
        """Have workers do these jobs; once the pattern is given up, each fails at once."""
        await self.shared.workers.run(self.share, jobs)

    def check_patience(self) -> None:
        """Raise PatternTimeoutError once the search has given the pattern up."""
        if self.share.is_given_up:
            raise PatternTimeoutError(GIVEN_UP)

    def charge(self, seconds: float, *, timeouts: int = 0) -> None:
        """Count what a thread spent on one text, unless that is no more than usual."""
        if timeouts or seconds > USUAL_SECONDS:
            self.share.charge(seconds, timeouts)
