"""Text for a terminal: untrusted text is escaped, matches are coloured."""

from __future__ import annotations

import select
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from gistapi.cli.process import complain, reason

UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control characters, invisible and bidirectional ones, lone surrogates, other line ends."""

RESET = "\x1b[0m"
PATH = "\x1b[35m"
LINE = "\x1b[32m"
MATCH = "\x1b[1m\x1b[31m"
TITLE = "\x1b[1m"


class OutputError(Exception):
    """Standard output cannot be written to; the message says why."""


class OutputClosedError(Exception):
    """The reader of standard output has gone."""


def safe(text: str, *, keep: str = "\t") -> str:
    r"""`text` with every character that controls a terminal or is invisible escaped, as `\x1b`.

    Characters in `keep` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        _escape(char) if unicodedata.category(char) in UNSAFE and char not in keep else char
        for char in text
    )


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def width(text: str) -> int:
    """How many columns a terminal uses for `text`, which has no control characters."""
    from wcwidth import wcswidth  # noqa: PLC0415 - only a faulty pattern needs it

    return max(0, wcswidth(text))


def say(message: str) -> None:
    """Write one message to standard error, with untrusted text in it escaped."""
    complain(f"gistapi: {safe(message)}")


def tolerate_encoding() -> None:
    """Make both streams write `?` for characters that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


class Output:
    """Standard output. Raises OutputError and OutputClosedError, and nothing else."""

    def __init__(self) -> None:
        self._stream = sys.stdout

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads it."""
        return self._stream is not None and self._stream.isatty()

    def write(self, text: str) -> None:
        """Write text, mostly some lines."""
        self._attempt(lambda stream: stream.write(text))

    def flush(self) -> None:
        """Send what is buffered."""
        self._attempt(lambda stream: stream.flush())

    def check_reader(self) -> None:
        """Raise OutputClosedError if the pipe's reader has gone, without writing to it."""
        try:
            poll = select.poll()
            poll.register(self._stream.fileno(), 0)
            gone = any(event & select.POLLERR for _, event in poll.poll(0))
        except (AttributeError, OSError, ValueError):
            return  # no descriptor, or a system without poll
        if gone:
            raise OutputClosedError

    def _attempt(self, action: Callable[[TextIO], object]) -> None:
        try:
            if self._stream is None:
                raise OutputError("cannot write to standard output: it is closed")
            action(self._stream)
        except BrokenPipeError:
            raise OutputClosedError from None
        except (OSError, ValueError) as error:
            message = f"cannot write to standard output: {reason(error)}"
            raise OutputError(message) from error


@dataclass(frozen=True, slots=True)
class Style:
    """How output is marked: with colours, with links, or not at all."""

    colors: bool = False
    hyperlinks: bool = False

    def paint(self, text: str, color: str) -> str:
        """`text`, which is safe, in a colour. The bytes are those that ripgrep writes."""
        return f"{RESET}{color}{text}{RESET}" if self.colors else text

    def link(self, text: str, url: str | None) -> str:
        """`text`, which may be painted, as a link to a web page."""
        if not self.hyperlinks or url is None or not url.startswith(("https://", "http://")):
            return text
        return f"\x1b]8;;{safe(url, keep='')}\x1b\\{text}\x1b]8;;\x1b\\"
