"""A pool of worker processes: started when needed, shared fairly, killed at their deadline.

Every text first gets a short slice of a worker's time, small ones together; one that needs more
waits for a long slice of its own. Where there are several workers, one serves short slices only.
The search that was served least is next, so that a pattern that needs milliseconds does
not wait for those that need seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gistapi.errors import OverloadedError
from gistapi.events import Observer, WorkerKilled
from gistapi.matching.jobs import GIVEN_UP, SLICE_SECONDS, TOO_LONG, Batch, Job, Share
from gistapi.matching.process import Process

LEAST_SECONDS = 1.0
"""The least elapsed time for a short slice of processor time, on a busy machine too."""
START_TRIES = 4
RETRY_SECONDS = 0.1
"""Before the second try to start a process; doubled before each further one."""


class Workers:
    """At most `count` processes; building it starts none. For the loop alone."""

    def __init__(self, count: int, observe: Observer) -> None:
        self._observe = observe
        self._shares: list[Share] = []  # those with jobs, waiting or running
        self._batches: set[Batch] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: list[Process] = []
        self._alive: set[Process] = set()
        self._free = count
        self._free_for_long = max(1, count - 1)
        self._turn = 0.0
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """The processes that are alive now."""
        return [process.pid for process in self._alive]

    async def start(self) -> None:
        """Start the processes before they are needed. Raises OSError if one cannot be started."""
        starting, self._free = self._free - len(self._idle), len(self._idle)
        try:
            for _ in range(starting):
                self._idle.append(await self._start_process())
        finally:
            self._free += starting
            self._serve()

    async def close(self) -> None:
        """End all processes; searches that wait get OverloadedError. Idempotent."""
        self._closed = True
        for share in self._shares:
            share.fail_waiting()
        for process in self._alive:
            process.kill()
        while self._tasks:
            await asyncio.wait(self._tasks)
        for process in (*self._idle,):
            self._idle.remove(process)
            await self._give_back(process)

    async def run(self, share: Share, jobs: Sequence[Job]) -> None:
        """Do all jobs. Raises OverloadedError when the workers are closed.

        When it is cancelled, running jobs are abandoned; their worker continues with the jobs
        of others in the batch.
        """
        if not share.running and share not in self._shares:
            share.turn = max(share.turn, self._turn)
            self._shares.append(share)
        for job in jobs:
            job.done = asyncio.get_running_loop().create_future()
        share.add(jobs)
        self._serve()
        try:
            for job in jobs:
                await job.done
                if job.error is not None:
                    raise job.error
        finally:
            for job in jobs:
                job.done.cancel()
            self._drop_abandoned()
        if self._closed:
            raise OverloadedError("The service is stopping.", retry_after_seconds=1.0)

    def _drop_abandoned(self) -> None:
        """Free the workers whose long text no search waits for."""
        for batch in self._batches:
            if batch.is_long and batch.is_abandoned and batch.process is not None:
                batch.process.kill()

    def _serve(self) -> None:
        """Assign free workers to waiting searches."""
        for share in self._shares:
            if share.is_given_up or self._closed:
                share.fail_waiting()
        while self._free and (chosen := self._next()) is not None:
            share, batch = chosen
            self._turn = max(self._turn, share.turn)
            self._free -= 1
            self._free_for_long -= batch.is_long
            share.running += 1
            self._batches.add(batch)
            task = asyncio.get_running_loop().create_task(self._work(share, batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._shares = [
            share for share in self._shares if share.running or share.short or share.long
        ]

    def _next(self) -> tuple[Share, Batch] | None:
        may_be_long = self._free_for_long > 0
        for share in sorted(self._shares, key=lambda share: (share.running, share.turn)):
            batch = share.next_batch(may_be_long=may_be_long)
            if batch is not None:
                return share, batch
        return None

    async def _work(self, share: Share, batch: Batch) -> None:
        """Do a batch, then release its worker."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            batch.process = self._idle.pop() if self._idle else await self._retry_start()
            began = loop.time()
            await self._ask(batch.process, batch)
        except OSError:
            self._observe(WorkerKilled("not_started"))
            for job in batch.jobs:
                job.end("The service could not start a process to search this file in.")
        except Exception as error:  # noqa: BLE001 - the search raises it
            for job in batch.jobs:
                job.end(error)
        finally:
            _account(share, batch, loop.time() - began)
            await self._give_back(batch.process)
            self._batches.discard(batch)
            self._free += 1
            self._free_for_long += batch.is_long
            share.running -= 1
            share.add([job for job in batch.jobs if not job.done.done()], first=True)
            self._serve()

    async def _ask(self, process: Process, batch: Batch) -> None:
        limit = batch.jobs[0].seconds
        patience = limit if batch.is_long else min(limit, SLICE_SECONDS)
        if not batch.is_long:
            limit = max(limit, LEAST_SECONDS)
        work = [(job.text, job.task) for job in batch.jobs]
        try:
            async with asyncio.timeout(limit):
                answers, interrupted = await process.ask(batch.engine, work, patience, limit)
        except TimeoutError:
            process.kill()
            self._observe(WorkerKilled("timeout"))
            batch.fail(TOO_LONG, final=len(batch.jobs) == 1)
        except EOFError:
            if self._closed or batch.is_abandoned:
                batch.fail(GIVEN_UP, final=True)
                return
            self._observe(WorkerKilled("died"))
            batch.fail("The worker that searched this file died.", final=batch.jobs[0].alone)
        except BaseException:
            process.kill()  # its answer is still to come and would be taken for another's
            raise
        else:
            for job, answer in zip(batch.jobs, answers, strict=False):
                job.end(answer)
            if interrupted and batch.is_long:
                batch.fail(TOO_LONG, final=True)
            elif interrupted:
                batch.jobs[len(answers)].is_long = True

    async def _retry_start(self) -> Process:
        """Start a process, and try a few times if the system has no room for one."""
        for attempt in range(START_TRIES - 1):
            try:
                return await self._start_process()
            except OSError:
                await asyncio.sleep(RETRY_SECONDS * 2**attempt)
        return await self._start_process()

    async def _start_process(self) -> Process:
        process = await Process.start()
        self._alive.add(process)
        if self._closed:
            process.kill()
        return process

    async def _give_back(self, process: Process | None) -> None:
        if process is None:
            return
        if process.killed:  # its place is free once it is gone
            await process.close()
            self._alive.discard(process)
        else:
            self._idle.append(process)


def _account(share: Share, batch: Batch, seconds: float) -> None:
    """Charge a search with what its batch took."""
    share.charge(seconds, sum(job.failure is not None for job in batch.jobs))
    share.turn += seconds
    for job in batch.jobs:
        job.spent_seconds += seconds / len(batch.jobs)
