"""The line on standard error that shows the progress of a search."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from gistapi.models import Progress

BAR_COLUMNS = 24
ERASE = "\r\x1b[2K"


class ProgressBar:
    """A bar with counts, drawn on standard error if that is a terminal, else never.

    Everything else that may reach the same terminal is written inside `hidden()`.
    """

    def __init__(self) -> None:
        stream = sys.stderr
        self._stream = stream if stream is not None and stream.isatty() else None
        if os.environ.get("TERM") == "dumb":
            self._stream = None
        self._text = ""

    def start(self, text: str) -> None:
        """Show a text until there are counts."""
        self._draw(text)

    def update(self, progress: Progress) -> None:
        """Show the counts."""
        self._draw(_line(progress))

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Take the line off the screen, and put it back afterwards."""
        text = self._text
        self._draw("")
        yield
        self._draw(text)

    def end(self) -> None:
        """Take the line off the screen for good."""
        self._draw("")

    def _draw(self, text: str) -> None:
        if self._stream is None or text == self._text:
            return
        erase = ERASE if self._text else ""
        self._text = text
        try:
            self._stream.write(erase + text[: _columns() - 1])
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = None


def _columns() -> int:
    try:
        return os.get_terminal_size(2).columns or 80
    except OSError:
        return 80


def _line(progress: Progress) -> str:
    done, total = progress.gists_done, progress.gists_total
    gists = f"{done:,}" if total is None else f"{done:,} of {total:,}"
    size = f"{progress.bytes_done / 1e6:,.1f} MB"
    return f"{_bar(done, total)} {gists} gists, {progress.files_done:,} files, {size}"


def _bar(done: int, total: int | None) -> str:
    filled = min(BAR_COLUMNS, BAR_COLUMNS * done // total) if total else 0
    full, empty = ("━", "─") if _can_encode("━─") else ("#", "-")
    return full * filled + empty * (BAR_COLUMNS - filled)


def _can_encode(text: str) -> bool:
    try:
        text.encode(sys.stderr.encoding or "ascii")
    except (LookupError, UnicodeError):
        return False
    return True
