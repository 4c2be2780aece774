"""The worker processes together: started when needed, shared fairly, killed at their deadline.

A searching thread drives a worker itself, so no thread and no queue of ours stands in between.
Who waits is served by search, the one with fewest workers first; and who gets a worker takes
other small texts of the same search along.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from gistapi.aio.deadline import Deadline
from gistapi.errors import OverloadedError
from gistapi.events import Observer, WorkerKilled
from gistapi.matching.process import Job, Process

SMALL_BYTES = 64 << 10
"""A text up to this size may travel with others."""
BATCH_BYTES = 1 << 20
BATCH_TEXTS = 256
MAX_TIMEOUTS = 3
MAX_SECONDS = 10.0
GIVEN_UP = "the pattern was given up: it took too long on other files of this search"
BATCH_SHARE = 0.25
"""Of one text's time, for a whole batch: a bad text costs the others no more than this."""


@dataclass(eq=False)
class Ticket:
    """A thread that waits until its jobs are done: by itself, once `granted`, or by others."""

    jobs: list[Job]
    wakeup: threading.Condition
    granted: bool = False
    process: Process | None = None
    batch: list[Job] = field(default_factory=list)

    @property
    def wants_worker(self) -> bool:
        """Whether there is something in it that nobody is at."""
        return not self.granted and any(not (job.done or job.taken) for job in self.jobs)


@dataclass(eq=False)
class Share:
    """One search's part in the workers: who waits for it, and how many workers it has."""

    tickets: list[Ticket] = field(default_factory=list)
    running: int = 0
    served_at: float = 0.0
    timeouts: int = 0
    seconds: float = 0.0

    @property
    def is_given_up(self) -> bool:
        """Whether the pattern has cost this search too much already."""
        return self.timeouts >= MAX_TIMEOUTS or self.seconds >= MAX_SECONDS

    def fail_waiting(self) -> None:
        """Let every job that nobody is at fail, as the pattern is given up."""
        for ticket in self.tickets:
            for job in ticket.jobs:
                if not (job.done or job.taken):
                    job.failure, job.done = GIVEN_UP, True
            ticket.wakeup.notify_all()


class Workers:
    """At most `count` processes; building it starts none."""

    def __init__(self, count: int, observe: Observer) -> None:
        self._observe = observe
        self._lock = threading.Lock()
        self._shares: list[Share] = []
        self._idle: list[Process] = []
        self._all: set[Process] = set()
        self._free = count
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """The processes that are alive now."""
        with self._lock:
            return [process.pid for process in self._all]

    def start(self) -> None:
        """Start the processes before they are needed."""
        while True:
            with self._lock:
                if self._closed or len(self._idle) >= self._free:
                    return
            process = self._spawn()
            with self._lock:
                self._idle.append(process)

    def close(self) -> None:
        """End all processes; who waits gets OverloadedError. Idempotent."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            processes, self._all = self._all, set()
            self._notify(self._shares)
        for process in processes:
            process.kill()
        for process in idle:  # the others are closed by the threads that drive them
            process.close()

    def run(self, share: Share, jobs: list[Job], deadline: Deadline) -> None:
        """Have all jobs done, by this thread or by others of the same search.

        Raises DeadlineError, CancelledError, and OverloadedError when the workers are closed.
        """
        ticket = Ticket(jobs, threading.Condition(self._lock))
        with deadline.on_cancel(lambda: self._wake(ticket)), self._waiting(share, ticket):
            while self._wait(ticket, deadline):
                try:
                    deadline.check()
                    ticket.process = ticket.process or self._spawn()
                    with deadline.on_cancel(ticket.process.kill):
                        began = time.monotonic()
                        self._search(ticket.process, ticket.batch, deadline)
                    self.charge(share, time.monotonic() - began)
                finally:
                    self._give_back(share, ticket)

    def charge(self, share: Share, seconds: float, timeouts: int = 0) -> None:
        """Count against a search's patience what its pattern has cost."""
        with self._lock:
            share.seconds += seconds
            share.timeouts += timeouts

    @contextmanager
    def _waiting(self, share: Share, ticket: Ticket) -> Iterator[None]:
        with self._lock:
            share.tickets.append(ticket)
            if share not in self._shares:
                self._shares.append(share)
            self._serve()
        try:
            yield
        finally:
            with self._lock:
                ticket.jobs = []  # whoever leaves wants no worker; he may just have been given one
                granted = ticket.granted
            if granted:
                self._give_back(share, ticket)
            with self._lock:
                share.tickets.remove(ticket)
                if not share.tickets:
                    self._shares.remove(share)

    def _wait(self, ticket: Ticket, deadline: Deadline) -> bool:
        """Wait for a worker (True), or for the jobs to be done (False)."""
        with self._lock:
            while not ticket.granted:
                if all(job.done for job in ticket.jobs):
                    return False
                self._check_open()
                deadline.check()
                ticket.wakeup.wait(deadline.remaining())
            return True

    def _serve(self) -> None:
        """Give free workers to those who wait (under the lock)."""
        for share in self._shares:
            if share.is_given_up:
                share.fail_waiting()
        while self._free:
            waiting = [
                share for share in self._shares if any(t.wants_worker for t in share.tickets)
            ]
            if not waiting:
                return
            share = min(waiting, key=lambda share: (share.running, share.served_at))
            ticket = next(ticket for ticket in share.tickets if ticket.wants_worker)
            self._free -= 1
            share.running += 1
            share.served_at = time.monotonic()
            ticket.process = self._idle.pop() if self._idle else None
            ticket.batch = _batch(ticket, share)
            ticket.granted = True
            ticket.wakeup.notify_all()

    def _give_back(self, share: Share, ticket: Ticket) -> None:
        """Let others have the worker; what it left undone waits again."""
        process = ticket.process
        with self._lock:
            for job in ticket.batch:
                job.taken = False
                share.timeouts += job.failure is not None
            reusable = process is not None and not (process.killed or self._closed)
            if process is not None and reusable:
                self._idle.append(process)
            elif process is not None:
                self._all.discard(process)
            self._free += 1
            share.running -= 1
            ticket.process, ticket.batch, ticket.granted = None, [], False
            share.tickets.append(share.tickets.pop(share.tickets.index(ticket)))
            self._notify([share])
            self._serve()
        if process is not None and not reusable:
            process.close()

    def _search(self, process: Process, batch: list[Job], deadline: Deadline) -> None:
        limit = batch[0].seconds * (1 if len(batch) == 1 else BATCH_SHARE)
        began = time.monotonic()
        try:
            answers = process.ask(batch, limit / 2, min(limit, deadline.remaining()))
        except TimeoutError:
            process.kill()
            self._observe(WorkerKilled("timeout"))
            deadline.check()
            _fail(batch, "the pattern took too long", final=len(batch) == 1)
        except EOFError:
            process.kill()
            self._check_open()
            deadline.check()
            self._observe(WorkerKilled("died"))
            _fail(batch, "the worker that searched it died", final=batch[0].alone)
        except BaseException:
            process.kill()  # its answer is still to come, and nobody would expect it
            raise
        else:
            for job, answer in zip(batch, answers, strict=False):
                job.answer, job.failure = (
                    (None, answer) if isinstance(answer, str) else (answer, None)
                )
                job.done = True
        elapsed = time.monotonic() - began
        for job in batch:
            job.spent_seconds += elapsed / len(batch)

    def _spawn(self) -> Process:
        process = Process()
        with self._lock:
            if not self._closed:
                self._all.add(process)
                return process
        process.close()
        raise self._stopping()

    def _check_open(self) -> None:
        if self._closed:
            raise self._stopping()

    @staticmethod
    def _stopping() -> OverloadedError:
        return OverloadedError("the service is stopping", retry_after_seconds=1.0)

    def _wake(self, ticket: Ticket) -> None:
        with self._lock:
            ticket.wakeup.notify_all()

    @staticmethod
    def _notify(shares: list[Share]) -> None:
        for share in shares:
            for ticket in share.tickets:
                ticket.wakeup.notify_all()


def _batch(ticket: Ticket, share: Share) -> list[Job]:
    """The first of the ticket's jobs, and as many small ones as may travel with it."""
    others = (job for other in share.tickets if other is not ticket for job in other.jobs)
    candidates = [job for job in (*ticket.jobs, *others) if not (job.done or job.taken)]
    first, *rest = candidates
    batch, size = [first], len(first.text)
    if _may_travel(first):
        for job in rest:
            if len(batch) == BATCH_TEXTS or size + len(job.text) > BATCH_BYTES:
                break
            if _may_travel(job) and job.engine is first.engine:
                batch.append(job)
                size += len(job.text)
    for job in batch:
        job.taken = True
    return batch


def _may_travel(job: Job) -> bool:
    return not job.alone and len(job.text) <= SMALL_BYTES


def _fail(batch: list[Job], failure: str, *, final: bool) -> None:
    """Nobody knows which text of a batch was to blame: each is tried again, alone."""
    for job in batch:
        job.alone = True
        if final:
            job.failure, job.done = failure, True
