"""One file's bytes in, in chunks of any size; the first match out, as soon as it is certain.

The scanner holds a window of the text and searches it whenever it has doubled, so that all
searches together stay linear. What it knows for certain is `_start`: no match begins before it.
A match counts only if it begins where everything that could decide about it has been seen; that
depends on the text alone, never on how it was cut.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

from gistapi.aio.deadline import Deadline
from gistapi.errors import PatternTimeoutError
from gistapi.events import FileScanned, Observer
from gistapi.matching import worker
from gistapi.matching.decoding import Utf8Stream
from gistapi.matching.memory_budget import WindowBudget
from gistapi.matching.pattern import CompiledPattern, Engine
from gistapi.matching.process import Job
from gistapi.matching.window import LINE_CHARACTERS, MAX_BYTES, Window
from gistapi.models import Hit

_PART_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much text a scanner holds, in bytes of UTF-8.

    A match up to `overlap_bytes` long is found wherever it lies; a window holds twice that and
    little more. The first search comes after `first_bytes`. Of a hit's line so many characters
    are shown.
    """

    overlap_bytes: int = 8 << 20
    first_bytes: int = 64 << 10
    line_characters: int = LINE_CHARACTERS

    @property
    def window_bytes(self) -> int:
        """The most that one scanner ever holds."""
        return 2 * self.overlap_bytes + self.first_bytes + 4 * _PART_BYTES


class Searching(Protocol):
    """What a scanner needs of its search (a `Matcher`)."""

    @property
    def pattern(self) -> CompiledPattern:
        """What is searched for."""

    @property
    def pattern_timeout_seconds(self) -> float:
        """How long one file may take."""

    def check_patience(self) -> None:
        """Raise PatternTimeoutError once the search has given the pattern up."""

    def charge(self, seconds: float, *, timeouts: int = 0) -> None:
        """Say what a thread spent, and whether the file took too long."""

    def ask(self, jobs: list[Job], deadline: Deadline) -> None:
        """Have a worker do this."""


class Scanner:
    """Feed it chunks, then finish it; a Hit is final, whatever would follow.

    For one thread. `feed` and `finish` raise PatternTimeoutError when the pattern takes too long,
    was given up, or can't be decided on a text this long; DeadlineError and CancelledError when
    the work has to stop; OverloadedError when the service stops.
    """

    def __init__(
        self,
        search: Searching,
        deadline: Deadline,
        sizes: Sizes,
        budget: WindowBudget,
        observe: Observer,
    ) -> None:
        self._search = search
        self._extent = search.pattern.match_bounds
        self._loops = self._extent.loop_bytes
        self._deadline = deadline
        self._sizes = sizes
        self._budget = budget
        self._observe = observe
        self._stream = Utf8Stream()
        self._window = Window(sizes.line_characters)
        self._start = 0  # in the window: no match begins before it
        self._next = sizes.first_bytes  # the window's size that is worth the next search
        self._held = 0
        self._size = 0
        self._engine_name: Literal["re2", "re"] = "re2"
        self._worked_seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def feed(self, chunk: bytes) -> Hit | None:
        """Take more of the file; returns a Hit as soon as one is certain."""
        self._size += len(chunk)
        with memoryview(chunk) as view:
            for start in range(0, len(view), _PART_BYTES):
                hit = self._take(self._stream.feed(view[start : start + _PART_BYTES]))
                if hit is not None:
                    return self._end(hit)
        return None

    def finish(self) -> Hit | None:
        """The file is complete: returns the first match in what was not decided yet."""
        hit = self._take(self._stream.finish())
        if hit is None:
            found = self._find(growing=False)
            hit = None if found is None else self._window.hit(found[0])
        return self._end(hit)

    def close(self) -> None:
        """Give the window's memory back. Idempotent."""
        self._window = Window()
        self._budget.release(self)

    def _take(self, text: bytes) -> Hit | None:
        self._deadline.check()
        size = len(self._window.data) + len(text)
        if size > self._held:
            self._held = 1 << (size - 1).bit_length()
            self._budget.hold(self, self._held, self._deadline)
        self._window.data += text
        return self._search_growing() if len(self._window.data) >= self._next else None

    def _search_growing(self) -> Hit | None:
        """Decide about every start that what has come so far can decide about."""
        size = len(self._window.data)
        decided = self._decided()
        limit = size - self._sizes.overlap_bytes
        forced = limit > decided
        if forced and self._search.pattern.needs_whole_text and self._engine.name == worker.RE:
            raise PatternTimeoutError("the pattern looks too far ahead for a text this long")
        decided = self._window.align(max(decided, limit))  # `re` starts at characters only
        if decided > self._start:
            found = self._find(growing=True)
            if found is not None and found[0] < decided:
                if forced:
                    self._check_certain(found)
                return self._window.hit(found[0])
            self._start = decided - self._window.drop(decided - self._context_bytes)
            size = len(self._window.data)
        self._next = max(self._sizes.first_bytes, size + min(size, self._sizes.overlap_bytes))
        return None

    def _decided(self) -> int:
        """How many starts, from the beginning of the window, can be decided about now."""
        data = self._window.data
        if not self._extent.crosses_lines:
            # Nothing goes beyond the line; `$` wants to know whether its newline is the last.
            return data.rfind(b"\n", 0, len(data) - 1) + 1
        end = len(data) - self._window.tail_bytes
        if self._loops is None:
            return min(end, len(data) - MAX_BYTES * self._extent.ahead)
        # Going back until more has passed than a match can hold beside its loops.
        left, size = self._extent.ahead, self._window.tail_bytes
        while end > self._start and left >= 0:
            start = max(self._start, end - size)
            left -= len(data[start:end].translate(None, self._loops))
            end, size = start, 2 * size
        return end if left < 0 else 0

    @property
    def _context_bytes(self) -> int:
        """What stays before the first undecided start: for lookbehind, and to show the line."""
        return MAX_BYTES * (max(self._sizes.line_characters, self._extent.behind) + 2)

    def _check_certain(self, found: tuple[int, int]) -> None:
        """A match that `re` found where not all was seen must not lean on the window's end."""
        seen = found[1] + MAX_BYTES * (self._extent.lookahead + 2)
        if self._engine.name == worker.RE and seen > len(self._window.data):
            raise PatternTimeoutError("a match too long to be certain of")

    def _find(self, *, growing: bool) -> tuple[int, int] | None:
        """The first match in the window from `_start` on, as a span of bytes.

        While the text grows RE2 is shown one byte less than there is: so it never takes the
        window's end for the text's, and boundaries see what comes behind.
        """
        self._search.check_patience()
        engine, end = self._engine, len(self._window.data)
        if growing and engine.name == worker.RE2:
            end -= 1
        if engine.fits_thread(end - self._start):
            return self._find_here(engine, end)
        return self._find_in_worker(engine, end)

    @property
    def _engine(self) -> Engine:
        """What the window is searched with."""
        data = self._window.data
        is_empty = self._window.is_first and not data
        return self._search.pattern.engine(is_ascii=data.isascii(), is_empty=is_empty)

    def _find_here(self, engine: Engine, end: int) -> tuple[int, int] | None:
        began = time.thread_time()
        found = engine.compiled.search(self._window.data, self._start, end)
        seconds = time.thread_time() - began
        self._worked_seconds += seconds
        late = found is None and self._worked_seconds > self._search.pattern_timeout_seconds
        self._search.charge(seconds, timeouts=int(late))
        if late:
            raise PatternTimeoutError("the pattern took too long")
        return None if found is None else (int(found.start()), int(found.end()))

    def _find_in_worker(self, engine: Engine, end: int) -> tuple[int, int] | None:
        if engine.name == worker.RE:
            self._engine_name = "re"
        seconds = max(0.01, self._search.pattern_timeout_seconds - self._worked_seconds)
        job = Job(engine, self._window.data, self._start, end, seconds)
        self._search.ask([job], self._deadline)
        self._worked_seconds += job.spent_seconds
        if job.failure is not None:
            raise PatternTimeoutError(job.failure)
        return job.answer

    def _end(self, hit: Hit | None) -> Hit | None:
        name = self._engine_name
        self._observe(FileScanned(name, self._size, self._worked_seconds, hit is not None))
        self.close()
        return hit
