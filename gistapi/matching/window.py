"""The part of a text that a scanner still holds, and where in the text that part is."""

from __future__ import annotations

from gistapi.models import Hit

LINE_CHARACTERS = 300
"""How much of a line is shown: a third before the match, where there is enough behind it."""
MAX_BYTES = 4
"""Of one character in UTF-8."""


class Window:
    """What is held, in `data`: valid UTF-8 that begins at a character.

    What was dropped before it is known by its newlines (`_lines`) and by the characters since the
    last of them (`_column`).
    """

    def __init__(self, line_characters: int = LINE_CHARACTERS) -> None:
        self.data = bytearray()
        self.is_first = True
        self._lines = 0
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
        """Let go of about so many bytes at the beginning; returns how many (never more)."""
        size = self.align(size)
        if size == 0:
            return 0
        last = self.data.rfind(b"\n", 0, size)
        if last >= 0:
            self._lines += self.data.count(b"\n", 0, size)
            self._column = 0
        self._column += _characters(self.data, last + 1, size)
        del self.data[:size]
        self.is_first = False
        return size

    def hit(self, start: int) -> Hit:
        """The place of a match that begins at this offset of `data`."""
        line_start = self.data.rfind(b"\n", 0, start) + 1
        column = _characters(self.data, line_start, start)
        if line_start == 0:
            column += self._column
        lines = self._lines + self.data.count(b"\n", 0, start)
        return Hit(line=lines + 1, column=column + 1, text=self._line_text(line_start, start))

    def _line_text(self, line_start: int, start: int) -> str:
        # Offsets in bytes may cut a character at the far ends: those are beyond what is shown.
        lead_start = max(line_start, start - MAX_BYTES * (self._shown + 1))
        lead = self.data[lead_start:start].decode("utf-8", "ignore")
        tail_end = start + self.tail_bytes
        line_end = self.data.find(b"\n", start, tail_end)
        tail = self.data[start : tail_end if line_end < 0 else line_end].decode("utf-8", "ignore")
        if line_end >= 0 and (lead + tail).endswith("\r"):
            lead, tail = (lead, tail[:-1]) if tail else (lead[:-1], tail)
        line, at = lead + tail, len(lead)
        first = max(0, min(at - self._shown // 3, len(line) - self._shown))
        return line[first : first + self._shown]


def _characters(data: bytearray, start: int, end: int) -> int:
    part = data[start:end]
    return len(part) if part.isascii() else len(part.decode())
