"""Searches many texts for one pattern."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import cast

from gistapi.errors import PatternTimeoutError
from gistapi.events import FileScanned
from gistapi.matching import worker
from gistapi.matching.collector import Collector
from gistapi.matching.decoding import UTF16_MARKS, to_utf8
from gistapi.matching.jobs import GIVEN_UP, SMALL_BYTES, Job
from gistapi.matching.pattern import Engine
from gistapi.matching.scanner import Scanner
from gistapi.matching.work import SLICE_SECONDS, Stopwatch, Work
from gistapi.models import Hits

SKIM_BYTES = 256 << 10
"""A text up to this size is searched for the required literal on the loop: 50 µs."""
PAUSE_SECONDS = 0.002
"""How long the loop searches texts before it serves other tasks."""
INLINE_HITS = 32
"""Matches of one text that the loop looks up; 1,000 take 15 ms with the lines around them."""


class _Way(Enum):
    """How to continue with a text that a quick search could not decide."""

    THREAD = "in a thread"
    SCANNER = "in parts"


_Outcome = Hits | PatternTimeoutError | Job | _Way | None


@dataclass(slots=True)
class _Tally:
    """Counts of the texts that were searched without a worker, reported as one event."""

    files: int = 0
    size_bytes: int = 0
    seconds: float = 0.0

    def event(self) -> FileScanned:
        """The event that reports them."""
        return FileScanned("re2", self.size_bytes, self.seconds, self.files)


class Matcher:
    """Searches texts for one search's pattern, within its limits of time, threads and workers.

    For the loop. Each text is a whole file; the matches are those of `re.finditer`.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._raw_literal = work.pattern.raw_literal
        self._skimmed_bytes = work.pattern.skimmed_bytes

    def scanner(self) -> Scanner:
        """A scanner for one file, whose bytes come in chunks.

        Without a `max_count` it ends at the first match: a large file is not read to its end only
        to learn whether there are more.
        """
        wanted = replace(self._work.wanted, more=False)
        return Scanner(replace(self._work, wanted=wanted))

    def close(self) -> None:
        """Stop this search's work in threads."""
        self._work.switch.cancel()

    async def search(self, content: bytes) -> Hits | PatternTimeoutError | None:
        """Search one whole file; None without a match. Raises OverloadedError."""
        tally = _Tally()
        outcome = self._look(content, tally, None)
        if isinstance(outcome, (Job, _Way)):
            (found,) = await self._decided([content], [outcome], tally)
            return found
        if tally.files:
            self._work.shared.observe(tally.event())
        return outcome

    async def search_many(
        self, contents: Sequence[bytes]
    ) -> list[Hits | PatternTimeoutError | None]:
        """Search whole files; returns the results in their order. Raises OverloadedError."""
        tally = _Tally()
        outcomes = await self._look_here(contents, tally)
        return await self._decided(contents, outcomes, tally)

    async def _decided(
        self, contents: Sequence[bytes], outcomes: list[_Outcome], tally: _Tally
    ) -> list[Hits | PatternTimeoutError | None]:
        """The results, once the texts that a look did not decide are searched."""
        if any(outcomes):
            await self._look_in_threads(contents, outcomes, tally)
            await self._scan_the_rest(contents, outcomes, tally)
        if tally.files:
            self._work.shared.observe(tally.event())
        await self._ask_workers(outcomes)
        return cast("list[Hits | PatternTimeoutError | None]", outcomes)

    async def _ask_workers(self, outcomes: list[_Outcome]) -> None:
        """Do the jobs; the loop serves other tasks while many matches are looked up."""
        jobs = [(index, job) for index, job in enumerate(outcomes) if isinstance(job, Job)]
        if jobs:
            await self._work.ask([job for _, job in jobs])
        began = time.perf_counter()
        for index, job in jobs:
            outcomes[index] = await self._result(job)
            if time.perf_counter() - began > PAUSE_SECONDS:
                await asyncio.sleep(0)
                began = time.perf_counter()

    async def _look_here(self, contents: Sequence[bytes], tally: _Tally) -> list[_Outcome]:
        """Search on the loop the texts that take microseconds."""
        outcomes: list[_Outcome] = []
        began = time.perf_counter()
        for content in contents:
            outcomes.append(self._look(content, tally, None))
            if time.perf_counter() - began > PAUSE_SECONDS:
                await asyncio.sleep(0)
                began = time.perf_counter()
        return outcomes

    async def _look_in_threads(
        self, contents: Sequence[bytes], outcomes: list[_Outcome], tally: _Tally
    ) -> None:
        """Search the remaining texts in threads, as far as threads may."""
        left = [index for index, outcome in enumerate(outcomes) if outcome is _Way.THREAD]
        while left:
            texts = [contents[index] for index in left]
            found = await self._work.in_thread(partial(self._look_at, texts, tally))
            for index, outcome in zip(left, found, strict=False):
                outcomes[index] = outcome
            del left[: len(found)]

    async def _scan_the_rest(
        self, contents: Sequence[bytes], outcomes: list[_Outcome], tally: _Tally
    ) -> None:
        """Search texts that are too large for one step in parts, until the pattern proves fast."""
        while _Way.SCANNER in outcomes:
            index = outcomes.index(_Way.SCANNER)
            cost = self._work.pace.cost
            outcomes[index] = await self._scan(contents[index])
            if self._work.pace.cost > cost:
                for other, outcome in enumerate(outcomes):
                    if outcome is _Way.SCANNER:
                        outcomes[other] = _Way.THREAD
                await self._look_in_threads(contents, outcomes, tally)

    def _look_at(self, contents: list[bytes], tally: _Tally) -> list[_Outcome]:
        """Search some of these texts, at least one, in a thread."""
        watch = Stopwatch()
        ends_at = time.perf_counter() + SLICE_SECONDS
        outcomes: list[_Outcome] = []
        for content in contents:
            self._work.switch.check()
            outcomes.append(self._look(content, tally, watch))
            if time.perf_counter() > ends_at:
                break
        return outcomes

    def _look(self, content: bytes, tally: _Tally, watch: Stopwatch | None) -> _Outcome:
        """Search a text, if it is not too much for a thread, or for the loop without `watch`."""
        size = len(content)
        if watch is None and size > SKIM_BYTES:
            return _Way.THREAD
        if (
            size <= self._skimmed_bytes
            and self._raw_literal not in content
            and not content.startswith(UTF16_MARKS)
        ):
            tally.files += 1
            tally.size_bytes += size
            return None
        return self._look_closely(content, tally, watch)

    def _look_closely(self, content: bytes, tally: _Tally, watch: Stopwatch | None) -> _Outcome:
        """Decode a text, and search it."""
        work = self._work
        is_ascii = content.isascii()
        text = content if is_ascii else to_utf8(content)
        size = len(text)
        if work.pattern.lacks_literal(text):
            tally.files += 1
            tally.size_bytes += size
            return None
        engine = work.engine(is_ascii=is_ascii, is_empty=not text)
        exact = engine if engine.name == worker.RE2 else None
        inline = watch is None
        if exact is not None and work.pace.fits(exact, size, inline=inline):
            return self._search(exact, text, tally, watch)
        # Its program is smaller by far than one that knows all of Unicode's letters.
        loose = work.pattern.prefilter
        looks = loose is not None and work.pace.fits(loose, size, inline=inline)
        if loose is not None and looks and self._is_filtered_out(loose, text, tally, watch):
            return None
        later = exact if looks else loose or exact
        if inline and later is not None and work.pace.fits(later, size):
            return _Way.THREAD
        if size > SMALL_BYTES or (exact is not None and not work.pace.is_slow):
            return _Way.SCANNER
        task = (0, size, size + 1, work.wanted.spans, False)
        return Job(engine, text, task, work.shared.pattern_timeout_seconds)

    def _is_filtered_out(
        self, prefilter: Engine, text: bytes, tally: _Tally, watch: Stopwatch | None
    ) -> bool:
        """Whether RE2 shows that `re` would find no match."""
        task = (0, len(text), len(text) + 1, 1, False)
        part = self._work.search(prefilter, text, task, watch)
        self._work.charge(part.seconds)
        tally.seconds += part.seconds
        tally.size_bytes += len(text)
        tally.files += not part.spans
        return not part.spans

    def _search(
        self, engine: Engine, text: bytes, tally: _Tally, watch: Stopwatch | None
    ) -> _Outcome:
        work = self._work
        if work.share.is_given_up:
            return PatternTimeoutError(GIVEN_UP)
        task = (0, len(text), len(text) + 1, work.wanted.spans, False)
        part = work.search(engine, text, task, watch)
        if part.rest is not None:
            return _Way.SCANNER  # which finds them a slice at a time
        if watch is None and len(part.spans) > INLINE_HITS:
            return _Way.THREAD
        work.charge(part.seconds)
        tally.files += 1
        tally.size_bytes += len(text)
        tally.seconds += part.seconds
        return self._hits(text, part.spans)

    async def _scan(self, content: bytes) -> Hits | PatternTimeoutError | None:
        async with Scanner(self._work) as scanner:
            try:
                return await scanner.feed(content) or await scanner.finish()
            except PatternTimeoutError as error:
                return error

    async def _result(self, job: Job) -> Hits | PatternTimeoutError | None:
        if job.failure is not None:
            return PatternTimeoutError(job.failure)
        self._work.shared.observe(FileScanned(job.engine.name, len(job.text), job.spent_seconds))
        hits = partial(self._hits, job.text, job.spans)
        return await self._work.in_thread(hits) if len(job.spans) > INLINE_HITS else hits()

    def _hits(self, text: bytes | bytearray, spans: list[worker.Span]) -> Hits | None:
        if not spans:
            return None
        collector = Collector(self._work.wanted, self._work.shared.sizes.line_characters)
        collector.window.data += text
        collector.add(spans)
        return collector.finish()
