"""Holds a part of a text, and its position in the text: line and column."""

from __future__ import annotations

from dataclasses import dataclass

from gistapi.models import Hit

LINE_CHARACTERS = 300
"""Characters shown of a line: a third of them before the match if enough follow it."""
MAX_BYTES = 4
"""Maximum size of a character in UTF-8."""
NEWLINE = ord("\n")
PART_BYTES = 64 << 10
"""Bytes that a scanner takes at once."""
KEPT_LINES = 8
"""Lines that are kept for the next matches, as a multiple of the lines of context."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much text a scanner holds, in bytes of UTF-8.

    A match of up to `overlap_bytes` is found wherever it is; a window holds little more than twice
    that. The first search is after `first_bytes`. At most `line_characters` of a line are shown.
    """

    overlap_bytes: int = 8 << 20
    first_bytes: int = 64 << 10
    line_characters: int = LINE_CHARACTERS

    @property
    def window_bytes(self) -> int:
        """The maximum size of the text that one scanner holds."""
        return 2 * self.overlap_bytes + self.first_bytes + 4 * PART_BYTES


class Window:
    """Part of a text. `data` is the part that is held: valid UTF-8 that begins at a character.

    Hits are requested in order, so the current position only moves forward. `_at` is its offset in
    `data`; `_line` and `_column` are its place in the text, from 0; `_line_at` is the offset at
    which its line begins, negative if that was dropped. `_head` is the dropped beginning of the
    first line in `data`; `_dropped` are the lines of context before that line.
    """

    def __init__(self, line_characters: int, context: int) -> None:
        self.data = bytearray()
        self.is_first = True
        self._context = context
        self._shown = line_characters
        self._at = self._line_at = self._line = self._column = 0
        self._head = b""
        self._dropped: list[str] = []
        self._known: dict[str, str] = {}
        # Both by the offset of a line in `data`: its text and the next line's offset; the offset
        # of the line before it.
        self._lines: dict[int, tuple[str, int]] = {}
        self._begins: dict[int, int] = {}
        # After a match: enough to show its line, and to see whether CR LF ends it there.
        self.tail_bytes = MAX_BYTES * (line_characters + 2)

    def line(self, raw: bytes, *, ended: bool) -> str:
        """Return a line of context from its first bytes; if `ended` by LF, a CR before it is cut.

        Equal lines are one object, since each match around a line shows it.
        """
        text = raw[: self.tail_bytes].decode("utf-8", "ignore")
        text = (text.removesuffix("\r") if ended else text)[: self._shown]
        return self._known.setdefault(text, text)

    def line_at(self, begin: int) -> tuple[str, int] | None:
        """Return the line at an offset of `data` and the next line's offset; None if it has no end.

        Each line is read once, although each match around it shows it.
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
        """Return the last offset in `data`, up to this one, at which a character begins."""
        offset = max(0, offset)
        while 0 < offset < len(self.data) and self.data[offset] & 0xC0 == 0x80:  # noqa: PLR2004
            offset -= 1
        return offset

    def drop(self, size: int) -> int:
        """Drop at most `size` bytes at the beginning, whole characters; returns how many."""
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
        """Return the match between two offsets of `data`, with the lines before it."""
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
        """Return an offset in a match's last line; a final newline belongs to the line it ends."""
        return end - 1 if start < end and self.data[end - 1] == NEWLINE else end

    def _advance(self, offset: int) -> None:
        """Move the current position forward; an earlier offset leaves it unchanged."""
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
        """Return the lines of a match, the match's offset in them, and whether they were cut."""
        # A character that is split at either end is beyond the part that is shown.
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
        """Return the lines of context before the line that begins at this offset."""
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
        """Keep the lines of context in the bytes that are about to be dropped."""
        line_at = self.data.rfind(b"\n", 0, size) + 1
        if line_at:
            self._dropped = self._lines_before(line_at)
            self._head = b""
        room = self.tail_bytes - len(self._head)
        self._head += bytes(self.data[line_at : min(size, line_at + room)])
