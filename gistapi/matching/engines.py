"""Searching many texts for one pattern: what a search shares, and what the process does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from gistapi.aio.deadline import Deadline
from gistapi.errors import PatternTimeoutError
from gistapi.events import FileScanned, Observer, ignore
from gistapi.matching import pattern as patterns
from gistapi.matching import worker
from gistapi.matching.decoding import to_utf8
from gistapi.matching.memory_budget import WindowBudget
from gistapi.matching.pattern import CompiledPattern, Engine
from gistapi.matching.process import Job
from gistapi.matching.scanner import Scanner, Sizes
from gistapi.matching.window import Window
from gistapi.matching.worker_pool import GIVEN_UP, SMALL_BYTES, Share, Workers
from gistapi.models import Hit

USUAL_SECONDS = 0.05
"""A thread's time for one text that costs a search no patience: some 50 MB of a usual pattern."""


class Matching:
    """One per process: the workers and the memory that all searches share.

    Building it opens nothing; the workers start when a pattern first needs one, or by `start`.
    """

    def __init__(
        self,
        *,
        pattern_timeout_seconds: float = 2.0,
        workers: int = 2,
        observe: Observer = ignore,
        sizes: Sizes = Sizes(),  # noqa: B008 - frozen
        budget_bytes: int = 64 << 20,
    ) -> None:
        self.pattern_timeout_seconds = pattern_timeout_seconds
        self.observe = observe
        self.sizes = sizes
        self.workers = Workers(workers, observe)
        self.budget = WindowBudget(max(budget_bytes, sizes.window_bytes), sizes.window_bytes)

    def start(self) -> None:
        """Build the tables and start the workers before the first search."""
        patterns.warm()
        self.workers.start()

    def close(self) -> None:
        """End the workers; searches that still need one get OverloadedError. Idempotent."""
        self.workers.close()

    def matcher(self, pattern: CompiledPattern) -> Matcher:
        """A matcher for one search."""
        return Matcher(self, pattern)


@dataclass(slots=True)
class _Here:
    """What the searching thread did by itself, which is told once for many texts.

    `looked_at` is the thread's time when it was last looked at.
    """

    looked_at: float
    files: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    matched: bool = False

    def passed(self, text: bytes) -> None:
        """No engine was needed."""
        self.files += 1
        self.size_bytes += len(text)


class Matcher:
    """One search's pattern, with its patience and its share of the workers. For any threads."""

    def __init__(self, matching: Matching, pattern: CompiledPattern) -> None:
        self.pattern = pattern
        self._matching = matching
        self._share = Share()

    def scanner(self, deadline: Deadline) -> Scanner:
        """A scanner for one file, whose bytes come in chunks."""
        matching = self._matching
        return Scanner(self, deadline, matching.sizes, matching.budget, matching.observe)

    def search_many(
        self, contents: Sequence[bytes], deadline: Deadline
    ) -> list[Hit | PatternTimeoutError | None]:
        """Search whole files that are here already; the answers in their order.

        Raises DeadlineError, CancelledError, OverloadedError.
        """
        results: list[Hit | PatternTimeoutError | None] = []
        jobs: dict[int, Job] = {}
        here = _Here(time.thread_time())
        for index, content in enumerate(contents):
            deadline.check()
            is_ascii = content.isascii()
            text = content if is_ascii else to_utf8(content)
            if self.pattern.lacks_literal(text):
                here.passed(text)
                results.append(None)
                continue
            engine = self.pattern.engine(is_ascii=is_ascii, is_empty=not text)
            if engine.fits_thread(len(text)):
                results.append(self._search_here(engine, text, here))
            elif self._is_filtered_out(engine, text, here):
                results.append(None)
            elif len(content) > SMALL_BYTES:
                results.append(self._scan(content, deadline))
                here.looked_at = time.thread_time()  # the scanner has charged what it took
            else:
                jobs[index] = self.job(engine, text, 0, self._matching.pattern_timeout_seconds)
                results.append(None)
        if here.files:
            self._matching.observe(
                FileScanned("re2", here.size_bytes, here.seconds, here.matched, here.files)
            )
        if jobs:
            self.ask(list(jobs.values()), deadline)
        for index, job in jobs.items():
            results[index] = self._result(job)
        return results

    @staticmethod
    def job(engine: Engine, text: bytes | bytearray, start: int, seconds: float) -> Job:
        """Work for a worker."""
        return Job(engine, text, start, len(text), seconds)

    def ask(self, jobs: list[Job], deadline: Deadline) -> None:
        """Have workers do these jobs; once the pattern is given up, each fails at once."""
        self._matching.workers.run(self._share, jobs, deadline)

    @property
    def pattern_timeout_seconds(self) -> float:
        """For one file."""
        return self._matching.pattern_timeout_seconds

    def check_patience(self) -> None:
        """Raise PatternTimeoutError once the search has given the pattern up."""
        if self._share.is_given_up:
            raise PatternTimeoutError(GIVEN_UP)

    def charge(self, seconds: float, *, timeouts: int = 0) -> None:
        """Count what a thread spent on one text, unless that is no more than usual."""
        if timeouts or seconds > USUAL_SECONDS:
            self._matching.workers.charge(self._share, seconds, timeouts)

    def _scan(self, content: bytes, deadline: Deadline) -> Hit | PatternTimeoutError | None:
        with self.scanner(deadline) as scanner:
            try:
                return scanner.feed(content) or scanner.finish()
            except PatternTimeoutError as error:
                return error

    def _is_filtered_out(self, engine: Engine, text: bytes, here: _Here) -> bool:
        """Whether RE2 can say that `re` will find nothing."""
        prefilter = self.pattern.prefilter if engine.name == worker.RE else None
        if prefilter is None or not prefilter.fits_thread(len(text)):
            return False
        if self._searched(prefilter, text, here) is not None:
            return False
        here.files += 1
        return True

    def _search_here(
        self, engine: Engine, text: bytes, here: _Here
    ) -> Hit | PatternTimeoutError | None:
        if self._share.is_given_up:
            return PatternTimeoutError(GIVEN_UP)
        start = self._searched(engine, text, here)
        here.files += 1
        if start is None:
            return None
        here.matched = True
        return self._locate(text, start)

    def _searched(self, engine: Engine, text: bytes, here: _Here) -> int | None:
        """Where RE2 finds the first match, in this thread; what it took is charged."""
        found = engine.compiled.search(text)
        now = time.thread_time()
        seconds, here.looked_at = now - here.looked_at, now
        self.charge(seconds)
        here.seconds += seconds
        here.size_bytes += len(text)
        return None if found is None else int(found.start())

    def _locate(self, text: bytes | bytearray, start: int) -> Hit:
        window = Window(self._matching.sizes.line_characters)
        window.data += text
        return window.hit(start)

    def _result(self, job: Job) -> Hit | PatternTimeoutError | None:
        if job.failure is not None:
            return PatternTimeoutError(job.failure)
        hit = None if job.answer is None else self._locate(job.text, job.answer[0])
        name = "re2" if job.engine.name == worker.RE2 else "re"
        event = FileScanned(name, len(job.text), job.spent_seconds, hit is not None)  # type: ignore[arg-type]
        self._matching.observe(event)
        return hit
