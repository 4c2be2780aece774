"""The part of a text that is held, and where in the text that part is."""

from __future__ import annotations

from dataclasses import dataclass

from gistapi.models import Hit

LINE_CHARACTERS = 300
"""How much of a line is shown: a third before the match, where there is enough behind it."""
MAX_BYTES = 4
"""Of one character in UTF-8."""
PART_BYTES = 64 << 10
"""What a scanner takes at once."""


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
    of the offset `_at` in `data`) only moves forward.
    """

    def __init__(self, line_characters: int = LINE_CHARACTERS) -> None:
        self.data = bytearray()
        self.is_first = True
        self._at = 0
        self._line = 0
        self._column = 0
        self._shown = line_characters

    @property
    def tail_bytes(self) -> int:
        """Behind a match: enough to show its line, and to tell whether CR LF ends it there."""
        return MAX_BYTES * (self._shown + 2)

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
        self._at -= size
        del self.data[:size]
        self.is_first = False
        return size

    def hit(self, start: int, end: int) -> Hit:
        """The match between two offsets of `data`."""
        self._advance(start)
        line, column = self._line + 1, self._column + 1
        text, at, cut = self._excerpt(start, end)
        shown = self.data[start : min(end, start + MAX_BYTES * (self._shown + 1))]
        stop = min(len(text), at + len(shown.decode("utf-8", "ignore")))
        self._advance(end)
        return Hit(line, column, self._line + 1, self._column + 1, text, at, stop, cut)

    def _advance(self, offset: int) -> None:
        """Move the position forward; backward it stays where it is."""
        if offset <= self._at:
            return
        last = self.data.rfind(b"\n", self._at, offset)
        if last >= 0:
            self._line += self.data.count(b"\n", self._at, offset)
            self._at, self._column = last + 1, 0
        part = self.data[self._at : offset]
        self._column += len(part) if part.isascii() else len(part.decode())
        self._at = offset

    def _excerpt(self, start: int, end: int) -> tuple[str, int, bool]:
        """The lines of a match, the match's offset in them, and whether they were cut."""
        # Offsets in bytes may cut a character at the far ends: those are beyond what is shown.
        data, shown = self.data, self._shown
        floor = max(0, start - MAX_BYTES * (shown + 1))
        lead = data[max(floor, data.rfind(b"\n", floor, start) + 1) : start]
        head = lead.decode("utf-8", "ignore")
        last = end - 1 if start < end and data[end - 1] == ord("\n") else end
        tail_end = start + self.tail_bytes
        line_end = data.find(b"\n", last, tail_end)
        tail = data[start : tail_end if line_end < 0 else line_end].decode("utf-8", "ignore")
        if line_end >= 0 and (head + tail).endswith("\r"):
            head, tail = (head, tail[:-1]) if tail else (head[:-1], tail)
        line, at = head + tail, len(head)
        first = max(0, min(at - shown // 3, len(line) - shown))
        return line[first : first + shown], at - first, len(line) > shown
