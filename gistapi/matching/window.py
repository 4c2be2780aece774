"""The part of a text that is held, and where in the text that part is."""

from __future__ import annotations

from dataclasses import dataclass

from gistapi.models import Hit

LINE_CHARACTERS = 300
"""How much of a line is shown: a third before the match, where there is enough behind it."""
MAX_BYTES = 4
"""Of one character in UTF-8."""
NEWLINE = ord("\n")
PART_BYTES = 64 << 10
"""What a scanner takes at once."""
KEPT_LINES = 8
"""Times the lines of context: those around the last matches, which the next ones may show too."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much text a scanner holds, in bytes of UTF-8.

    A match up to `overlap_bytes` long is found wherever it lies; a window holds twice that and
    little more. The first search comes after `first_bytes`. Of a line `line_characters` are shown.
    """

    overlap_bytes: int = 8 << 20
    first_bytes: int = 64 << 10
    line_characters: int = LINE_CHARACTERS

    @property
    def window_bytes(self) -> int:
        """The most that one scanner ever holds."""
        return 2 * self.overlap_bytes + self.first_bytes + 4 * PART_BYTES


class Window:
    """What is held, in `data`: valid UTF-8 that begins at a character.

    Hits are asked for in their order, so the position in the text (`_line` and `_column`, from 0,
    of the offset `_at` in `data`) only moves forward. `_line_at` is where that line begins, less
    than 0 if that was dropped. Of what was dropped, `_head` is how the line at the beginning of
    `data` began, and `_dropped` are the lines before it, as many as are context.
    """

    def __init__(self, line_characters: int = LINE_CHARACTERS, context: int = 0) -> None:
        self.data = bytearray()
        self.is_first = True
        self._context = context
        self._shown = line_characters
        self._at = self._line_at = self._line = self._column = 0
        self._head = b""
        self._dropped: list[str] = []
        self._known: dict[str, str] = {}
        self._lines: dict[int, tuple[str, int]] = {}  # in `data`, and where the next ones begin
        self._begins: dict[int, int] = {}  # where the line before the one at an offset begins
        # Behind a match: enough to show its line, and to tell whether CR LF ends it there.
        self.tail_bytes = MAX_BYTES * (line_characters + 2)

    def line(self, raw: bytes, *, ended: bool) -> str:
        """A line of context from its first bytes; `ended` by a newline, which a CR may precede.

        The same line is the same object: each of the matches around it shows it.
        """
        text = raw[: self.tail_bytes].decode("utf-8", "ignore")
        text = (text.removesuffix("\r") if ended else text)[: self._shown]
        return self._known.setdefault(text, text)

    def line_at(self, begin: int) -> tuple[str, int] | None:
        """The line that begins at an offset of `data`, and where the next does; None without end.

        Each is looked up once, though all matches around it show it.
        """
        known = self._lines.get(begin)
        if known is None and (end := self.data.find(b"\n", begin)) >= 0:
            return self._read_line(begin, end)
        return known

    def _read_line(self, begin: int, end: int) -> tuple[str, int]:
        raw = bytes(self.data[begin : min(end, begin + self.tail_bytes)])
        text = self.line(raw if begin else self._head + raw, ended=True)
        self._begins[end + 1] = begin
        self._lines[begin] = read = text, end + 1
        return read

    def _forget_lines(self) -> None:
        self._lines.clear()
        self._begins.clear()

    def align(self, offset: int) -> int:
        """The nearest offset in `data` at or before this one at which a character begins."""
        offset = max(0, offset)
        while 0 < offset < len(self.data) and self.data[offset] & 0xC0 == 0x80:  # noqa: PLR2004
            offset -= 1
        return offset

    def drop(self, size: int) -> int:
        """Drop about `size` bytes at the beginning; returns how many (never more)."""
        size = self.align(size)
        if size == 0:
            return 0
        self._advance(size)
        if self._context:
            self._remember(size)
            self._forget_lines()
        self._at -= size
        self._line_at -= size
        del self.data[:size]
        self.is_first = False
        return size

    def hit(self, start: int, end: int) -> Hit:
        """The match between two offsets of `data`, with the lines before it."""
        if len(self._lines) > KEPT_LINES * self._context:
            self._forget_lines()
        self._advance(start)
        line, column = self._line + 1, self._column + 1
        before = tuple(self._lines_before(self._line_at)) if self._context else ()
        text, at, cut = self._excerpt(start, end)
        shown = self.data[start : min(end, start + MAX_BYTES * (self._shown + 1))]
        stop = min(len(text), at + len(shown.decode("utf-8", "ignore")))
        self._advance(end)
        return Hit(line, column, self._line + 1, self._column + 1, text, at, stop, cut, before)

    def last(self, start: int, end: int) -> int:
        """An offset in the last line of a match: one that ends with a newline ends before it."""
        return end - 1 if start < end and self.data[end - 1] == NEWLINE else end

    def _advance(self, offset: int) -> None:
        """Move the position forward; backward it stays where it is."""
        if offset <= self._at:
            return
        last = self.data.rfind(b"\n", self._at, offset)
        if last >= 0:
            self._line += self.data.count(b"\n", self._at, offset)
            self._at = self._line_at = last + 1
            self._column = 0
        part = self.data[self._at : offset]
        self._column += len(part) if part.isascii() else len(part.decode())
        self._at = offset

    def _excerpt(self, start: int, end: int) -> tuple[str, int, bool]:
        """The lines of a match, the match's offset in them, and whether they were cut."""
        # Offsets in bytes may cut a character at the far ends: those are beyond what is shown.
        data, shown = self.data, self._shown
        lead_start = max(0, self._line_at, start - MAX_BYTES * (shown + 1))
        head = data[lead_start:start].decode("utf-8", "ignore")
        tail_end = start + self.tail_bytes
        line_end = data.find(b"\n", self.last(start, end), tail_end)
        tail = data[start : tail_end if line_end < 0 else line_end].decode("utf-8", "ignore")
        if line_end >= 0 and (head + tail).endswith("\r"):
            head, tail = (head, tail[:-1]) if tail else (head[:-1], tail)
        line, at = head + tail, len(head)
        first = max(0, min(at - shown // 3, len(line) - shown))
        text = line[first : first + shown]
        return self._known.setdefault(text, text), at - first, len(line) > shown

    def _lines_before(self, at: int) -> list[str]:
        """The lines of context before the one that begins at this offset."""
        lines: list[str] = []
        while at > 0 and len(lines) < self._context:
            begin = self._begins.get(at)
            if begin is None:
                begin = self.data.rfind(b"\n", 0, at - 1) + 1
            text, _ = self._lines.get(begin) or self._read_line(begin, at - 1)
            lines.append(text)
            at = begin
        missing = self._context - len(lines)
        return [*(self._dropped[-missing:] if missing else ()), *reversed(lines)]

    def _remember(self, size: int) -> None:
        """Keep what is context of what is about to be dropped."""
        line_at = self.data.rfind(b"\n", 0, size) + 1
        if line_at:
            self._dropped = self._lines_before(line_at)
            self._head = b""
        room = self.tail_bytes - len(self._head)
        self._head += bytes(self.data[line_at : min(size, line_at + room)])
