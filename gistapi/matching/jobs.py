"""Jobs for worker processes: one text each, queued per search and sent in batches."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from gistapi.matching import worker
from gistapi.matching.pattern import Engine
from gistapi.matching.process import Process

SMALL_BYTES = 64 << 10
"""A text up to this size may share a batch with others."""
BATCH_BYTES = 1 << 20
BATCH_TEXTS = 256
SLICE_SECONDS = 0.05
"""CPU time of a worker for the first attempt at a batch."""
MAX_TIMEOUTS = 3
MAX_SECONDS = 10.0
TOO_LONG = "The pattern took too long on this file."
GIVEN_UP = "The pattern took too long on other files, so it was not tried on this one."


@dataclass(eq=False)
class Job:
    """One text that a worker searches within `seconds`.

    When the job is done, `spans` has the matches as byte offsets. Without a result, `failure` says
    why, or `error` is an internal error. `spent_seconds` is the time that the job took. `is_long`:
    it needs more than SLICE_SECONDS. `alone`: it must not share a batch.
    """

    engine: Engine
    text: bytes | bytearray
    task: worker.Task
    seconds: float
    spans: list[worker.Span] = field(default_factory=list)
    failure: str | None = None
    error: Exception | None = None
    spent_seconds: float = 0.0
    is_long: bool = False
    alone: bool = False
    done: asyncio.Future[None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.is_long = self.engine.name == worker.RE2  # nothing interrupts it after a slice

    @property
    def may_share(self) -> bool:
        """Whether the job may share a batch."""
        return not (self.alone or self.is_long) and len(self.text) <= SMALL_BYTES

    def end(self, answer: worker.Answer | Exception) -> None:
        """Set the answer; dropped if no search waits for it any more."""
        if self.done.done():
            return
        if isinstance(answer, Exception):
            self.error = answer
        elif isinstance(answer, str):
            self.failure = answer
        else:
            self.spans = answer
        self.done.set_result(None)


class Batch:
    """The jobs that one worker does together: small texts of one search, or a single text.

    `is_long`: the only job needs more than SLICE_SECONDS. `process` is the worker, None until the
    batch has one.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs
        self.engine = jobs[0].engine
        self.is_long = jobs[0].is_long
        self.process: Process | None = None

    @property
    def is_abandoned(self) -> bool:
        """Whether no search waits for any job of the batch."""
        return all(job.done.done() for job in self.jobs)

    def fail(self, failure: str, *, final: bool) -> None:
        """Handle a failure of the worker: each text is tried again alone, or fails if `final`."""
        for job in self.jobs:
            job.alone = True
            if final:
                job.end(failure)


@dataclass(eq=False)
class Share:
    """One search's use of the workers: its queued jobs, and what its pattern has cost.

    `turn` orders the searches, the lowest first. It is the time that workers have spent on the
    search; a search that begins to wait starts at the turn of the search being served.
    """

    short: deque[Job] = field(default_factory=deque)
    long: deque[Job] = field(default_factory=deque)
    running: int = 0
    turn: float = 0.0
    timeouts: int = 0
    seconds: float = 0.0

    @property
    def is_given_up(self) -> bool:
        """Whether the pattern has reached this search's limit of timeouts or of time."""
        return self.timeouts >= MAX_TIMEOUTS or self.seconds >= MAX_SECONDS

    def charge(self, seconds: float, timeouts: int = 0) -> None:
        """Count what the pattern has cost against the search's limits."""
        self.seconds += seconds
        self.timeouts += timeouts

    def add(self, jobs: Sequence[Job], *, first: bool = False) -> None:
        """Queue jobs, with `first` before all others."""
        for job in reversed(jobs) if first else jobs:
            queue = self.long if job.is_long else self.short
            if first:
                queue.appendleft(job)
            else:
                queue.append(job)

    def next_batch(self, *, may_be_long: bool) -> Batch | None:
        """Take the next jobs out of the queues, short ones first; None if there are none."""
        for queue in (self.short, self.long) if may_be_long else (self.short,):
            while queue and queue[0].done.done():  # cancelled
                queue.popleft()
            if queue:
                return Batch(_batch(queue))
        return None

    def fail_waiting(self) -> None:
        """Fail every queued job, since the pattern was given up."""
        for queue in (self.short, self.long):
            while queue:
                queue.popleft().end(GIVEN_UP)


def _batch(queue: deque[Job]) -> list[Job]:
    """Take the first job, and the small ones after it that fit into the same batch."""
    first = queue.popleft()
    batch, size = [first], len(first.text)
    while first.may_share and queue and len(batch) < BATCH_TEXTS:
        job = queue[0]
        fits = job.may_share and job.engine is first.engine and size + len(job.text) <= BATCH_BYTES
        if not (fits or job.done.done()):
            break
        queue.popleft()
        if not job.done.done():
            batch.append(job)
            size += len(job.text)
    return batch
