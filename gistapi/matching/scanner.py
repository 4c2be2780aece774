"""Searches one file's bytes, which arrive in chunks; matches are returned once they are certain.

The scanner holds a window of the text and searches it whenever it has doubled, so that all
searches together stay linear. Every match that begins before `_start` is known. A match counts
only if it begins where everything that could decide about it has been seen; that depends on the
text alone, never on how it was cut.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Literal, NamedTuple, Self, TypeVar

from gistapi.errors import PatternTimeoutError
from gistapi.events import FileScanned
from gistapi.matching import worker
from gistapi.matching.collector import Collector
from gistapi.matching.decoding import Utf8Stream
from gistapi.matching.jobs import TOO_LONG, Job
from gistapi.matching.pattern import Engine
from gistapi.matching.window import MAX_BYTES, PART_BYTES
from gistapi.matching.work import Stopwatch, Work
from gistapi.models import Hits

T = TypeVar("T")

_INLINE_BYTES = 256 << 10
"""A window up to this size is processed on the loop: some 50 µs."""
_INLINE_STEPS = 32


class _Plan(NamedTuple):
    """A search of the window for matches that begin before `stop`.

    `growing`: more text is to come. `forced`: the text that decides about them has not all come,
    but no more can be held.
    """

    stop: int
    engine: Engine
    growing: bool
    forced: bool = False


class Scanner:
    """Searches one file: `feed` each chunk, then `finish`. Hits are final, whatever follows.

    For one task on the loop. `feed` and `finish` raise PatternTimeoutError when the pattern takes
    too long before a first match, was given up, or can't be decided on a text this long; and
    OverloadedError when the service stops.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._sizes = work.shared.sizes
        self._extent = work.pattern.match_bounds
        self._loops = self._extent.loop_bytes
        self._stream = Utf8Stream()
        self._found = Collector(work.wanted, self._sizes.line_characters)
        self._window = self._found.window
        self._start = 0  # in the window: every match that begins before it is known
        self._next = self._sizes.first_bytes  # the window's size that is worth the next search
        self._held = 0
        self._size = 0
        self._engine_name: Literal["re", "re2"] = "re2"
        self._worked_seconds = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def feed(self, chunk: bytes) -> Hits | None:
        """Take more of the file; returns Hits as soon as all wanted ones are certain."""
        self._size += len(chunk)
        with memoryview(chunk) as view:
            for start in range(0, len(view), PART_BYTES):
                await self._take(self._stream.feed(view[start : start + PART_BYTES]))
                if self._found.is_complete:
                    return self._end()
        return None

    async def finish(self) -> Hits | None:
        """End the file; returns its Hits, with the matches that were not decided until now."""
        await self._take(self._stream.finish())
        if self._found.left:
            await self._find(_Plan(len(self._window.data) + 1, self._engine, growing=False))
        return self._end()

    def close(self) -> None:
        """Give the window's memory back. Idempotent."""
        self._window.data = bytearray()
        self._work.shared.budget.release(self)

    async def _take(self, text: bytes) -> None:
        """Append text, and find all matches that later text cannot change."""
        self._found.feed(text)
        if self._found.left == 0:
            return
        size = len(self._window.data) + len(text)
        if size > self._held:
            more = (1 << (size - 1).bit_length()) - self._held
            self._held += more
            await self._work.shared.budget.grow(self, more)
        self._window.data += text
        if size < self._next:
            return
        plan = await self._do(self._plan)
        if plan.stop > self._start:
            await self._find(plan)
            if self._found.left == 0:
                self.close()
                return
            await self._do(partial(self._move, plan.stop))
        size = len(self._window.data)
        self._next = max(self._sizes.first_bytes, size + min(size, self._sizes.overlap_bytes))

    def _plan(self) -> _Plan:
        """Which matches to look for now: those that begin before `stop`."""
        decided = self._decided()
        limit = len(self._window.data) - self._sizes.overlap_bytes
        forced = limit > max(decided, self._start)
        stop = self._window.align(max(decided, limit))  # `re` starts at characters only
        return _Plan(stop, self._engine, growing=True, forced=forced)

    def _move(self, decided: int) -> None:
        """Drop what no later match needs."""
        start = max(decided, self._start)
        self._start = start - self._window.drop(start - self._context_bytes)

    def _decided(self) -> int:
        """The offset in the window before which every start can be decided now."""
        data = self._window.data
        if not self._extent.crosses_lines:
            # No match leaves its line; `$` depends on whether its newline is the last.
            return data.rfind(b"\n", 0, len(data) - 1) + 1
        end = len(data) - self._window.tail_bytes
        if self._loops is None:
            return min(end, len(data) - MAX_BYTES * self._extent.ahead)
        # Go back until the text passed is more than a match can take outside of its loops.
        left, size = self._extent.ahead, self._window.tail_bytes
        while end > self._start and left >= 0:
            start = max(self._start, end - size)
            left -= len(data[start:end].translate(None, self._loops))
            end, size = start, 2 * size
        return end if left < 0 else 0

    @property
    def _context_bytes(self) -> int:
        """The text kept before the first undecided start, for lookbehind and to show the line."""
        return MAX_BYTES * (max(self._sizes.line_characters, self._extent.behind) + 2)

    @property
    def _engine(self) -> Engine:
        """What the window is searched with."""
        data = self._window.data
        is_empty = self._window.is_first and not data
        return self._work.engine(is_ascii=data.isascii(), is_empty=is_empty)

    async def _find(self, plan: _Plan) -> None:
        """Find the wanted matches in the window from `_start` on.

        While more text is to come, RE2 gets one byte less than the window has: so it never takes
        the window's end for the text's, and sees the character behind a boundary.
        """
        end = len(self._window.data) - (plan.growing and plan.engine.name == worker.RE2)
        task: worker.Task | None = (self._start, end, plan.stop, self._found.left, False)
        try:
            self._work.check_patience()
            if plan.forced and plan.engine.name == worker.RE:
                self._check_decidable()
            while task is not None:
                if await self._fits_thread(plan.engine, task[0], end):
                    spans, task = await self._find_in_thread(plan.engine, task)
                else:
                    spans, task = await self._find_in_worker(plan.engine, task), None
                if plan.forced and plan.engine.name == worker.RE:
                    self._check_certain(spans)
                await self._do(partial(self._record, spans), len(spans))
        except PatternTimeoutError:
            if not self._found.found:
                raise
            self._found.give_up()

    async def _fits_thread(self, engine: Engine, start: int, end: int) -> bool:
        """Whether a thread may search this part of the window.

        If that depends on the pattern's speed, a smaller part is searched first to measure it.
        """
        pace = self._work.pace
        while engine.name == worker.RE2 and not pace.fits(engine, end - start):
            if not pace.may_grow(engine, end - start):
                return False
            cost = pace.cost
            part = start + cost // max(1, engine.program_size)
            await self._find_in_thread(engine, (start, part, part + 1, 1, False))
            if pace.cost == cost:
                return False
        return engine.name == worker.RE2

    async def _find_in_thread(
        self, engine: Engine, task: worker.Task
    ) -> tuple[list[worker.Span], worker.Task | None]:
        """RE2's matches, and what is left to do when the thread's time was up."""
        search = partial(self._work.search, engine, self._window.data, task)
        if self._work.pace.fits(engine, task[1] - task[0], inline=True):
            part = search(None)
        else:
            part = await self._work.in_thread(lambda: search(Stopwatch()))
        self._worked_seconds += part.seconds
        is_late = self._worked_seconds > self._work.shared.pattern_timeout_seconds
        is_late = is_late and (part.rest is not None or not part.spans)
        self._work.charge(part.seconds, timeouts=int(is_late and not self._found.found))
        if is_late and not part.spans:
            raise PatternTimeoutError(TOO_LONG)
        return part.spans, part.rest

    async def _find_in_worker(self, engine: Engine, task: worker.Task) -> list[worker.Span]:
        if engine.name == worker.RE:
            self._engine_name = "re"
        left = self._work.shared.pattern_timeout_seconds - self._worked_seconds
        job = Job(engine, self._window.data, task, max(0.01, left))
        await self._work.ask([job])
        self._worked_seconds += job.spent_seconds
        if job.failure is not None:
            raise PatternTimeoutError(job.failure)
        return job.spans

    def _check_decidable(self) -> None:
        if self._work.pattern.needs_whole_text:
            raise PatternTimeoutError("The pattern looks too far ahead for a text this long.")

    def _check_certain(self, spans: list[worker.Span]) -> None:
        """Raise PatternTimeoutError if a match by `re` may depend on where the window ends."""
        for _, end in spans:
            seen = end + MAX_BYTES * (self._extent.lookahead + 2)
            if seen > len(self._window.data):
                raise PatternTimeoutError("A match is too long to be certain of.")

    def _record(self, spans: list[worker.Span]) -> None:
        """Keep matches, which come in their order."""
        self._found.add(spans)
        if spans:
            self._start = spans[-1][1]

    async def _do(self, work: Callable[[], T], steps: int = 1) -> T:
        """Run `work` on the whole window: on the loop if it is small, else in a thread."""
        if len(self._window.data) <= _INLINE_BYTES and steps <= _INLINE_STEPS:
            return work()
        return await self._work.in_thread(work)

    def _end(self) -> Hits | None:
        event = FileScanned(self._engine_name, self._size, self._worked_seconds)
        self._work.shared.observe(event)
        hits = self._found.finish()
        self.close()
        return hits
