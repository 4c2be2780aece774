"""Collects the wanted matches of a text, with the lines around them, as the text arrives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from gistapi.matching import worker
from gistapi.matching.wanted import Wanted
from gistapi.matching.window import Window
from gistapi.models import Hit, Hits

_but_after: Callable[[Hit], Any] = attrgetter(
    *(field.name for field in fields(Hit) if field.name != "after")
)


class _After:
    """Collects the lines after the line in which a match ends."""

    def __init__(self, wanted: int, window: Window) -> None:
        self.lines: list[str] = []
        self.is_complete = False
        self._wanted = wanted
        self._window = window
        self._in_match = True  # the line is that of the match
        self._begun = b""

    def begin(self, at: int) -> None:
        """Read what the window holds, from an offset in the match's last line."""
        end = self._window.data.find(b"\n", at)
        if end >= 0:
            self._in_match, at = False, end + 1
            while len(self.lines) < self._wanted and (found := self._window.line_at(at)):
                text, at = found
                self.lines.append(text)
            self.is_complete = len(self.lines) == self._wanted
        if not self.is_complete:
            self.feed(self._window.data, at)

    def feed(self, text: bytes | bytearray, at: int = 0) -> None:
        """Read further text, from an offset in it."""
        while not self.is_complete and (end := text.find(b"\n", at)) >= 0:
            self._read(text, at, end)
            self._end_line(ended=True)
            at = end + 1
        if not self.is_complete:
            self._read(text, at, len(text))

    def finish(self) -> None:
        """End the text; what follows its last newline is a line unless it is empty."""
        if self._begun and not self.is_complete:
            self._end_line(ended=False)
        self.is_complete = True

    def _read(self, text: bytes | bytearray, start: int, end: int) -> None:
        room = self._window.tail_bytes - len(self._begun)
        self._begun += bytes(text[start : min(end, start + room)])

    def _end_line(self, *, ended: bool) -> None:
        if not self._in_match:
            self.lines.append(self._window.line(self._begun, ended=ended))
        self._in_match = False
        self._begun = b""
        self.is_complete = len(self.lines) == self._wanted


class Collector:
    """Takes spans in order and turns them into Hits.

    `window` holds the text around them; `left` is the number of spans that are still wanted.
    """

    def __init__(self, wanted: Wanted, line_characters: int) -> None:
        self.window = Window(line_characters, wanted.context)
        self.left = wanted.spans
        self._wanted = wanted
        self._hits: list[Hit] = []
        self._afters: list[_After] = []  # one per hit; hits that end in one line share it
        self._open: list[_After] = []  # those that need more text, at most `wanted.context`
        self._after_line = -1
        self._has_more = False

    @property
    def found(self) -> bool:
        """Whether there is a match."""
        return bool(self._hits)

    @property
    def is_complete(self) -> bool:
        """Whether no more of the text is needed."""
        return self.left == 0 and not self._open

    def feed(self, text: bytes) -> None:
        """Read further text, for the lines after matches."""
        for after in self._open:
            after.feed(text)
        self._open = [after for after in self._open if not after.is_complete]

    def add(self, spans: Sequence[worker.Span]) -> None:
        """Add matches, given as offsets in the window."""
        self.left -= len(spans)
        for start, end in spans:
            if len(self._hits) == (self._wanted.max_count or 1):
                self._has_more = True
                return
            self._hits.append(self.window.hit(start, end))
            if self._wanted.context:
                self._afters.append(self._after(start, end))

    def give_up(self) -> None:
        """Stop looking for matches, although there may be more."""
        self.left = 0
        self._has_more = True

    def finish(self) -> Hits | None:
        """Return the hits at the end of the text; None without a match."""
        for after in self._afters:
            after.finish()
        hits = self._hits
        if self._wanted.context:
            hits = [
                Hit(*(*_but_after(hit), tuple(after.lines)))
                for hit, after in zip(hits, self._afters, strict=True)
            ]
        if not hits:
            return None
        return Hits(tuple(hits), more=None if self._wanted.spans == 1 else self._has_more)

    def _after(self, start: int, end: int) -> _After:
        """Return the lines after the last hit, as far as the window holds them."""
        last = self.window.last(start, end)
        hit = self._hits[-1]
        line = hit.end_line - (last < end)
        if line == self._after_line:
            return self._afters[-1]
        self._after_line = line
        after = _After(self._wanted.context, self.window)
        after.begin(last)
        if not after.is_complete:
            self._open.append(after)
        return after
