"""The command as a process: signals, exit codes, and an end that is guaranteed.

Only the standard library's smallest modules are imported, so that signals are handled early.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

NONE = 1
"""The exit code of a search in which nothing matches, and of nothing else."""
FAULT = 2
SIGNALLED = 128
"""Added to a signal's number, as shells do: 130 for SIGINT, 143 for SIGTERM."""
CLOSED = SIGNALLED + signal.SIGPIPE
"""Standard output was closed before anything matched."""

GRACE_SECONDS = 0.7
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalledError(BaseException):
    """A signal asks the process to end. Not an Exception, so that no handler catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Watchdog:
    """Ends the process GRACE_SECONDS after a signal or `arm`, whatever the other threads do.

    Signals reach its thread through a pipe that the interpreter's C code writes to, so the main
    thread may be anywhere, even in a call that no Python handler can interrupt.
    """

    def __init__(self) -> None:
        self._code = FAULT
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def arm(self, code: int) -> None:
        """Give the process GRACE_SECONDS to end by itself; then it ends with this exit code."""
        self._code = code
        os.write(self._write, b"\0")

    def _watch(self) -> None:
        while (number := os.read(self._read, 1)[0]) not in (0, *ENDING):
            pass  # a signal that does not end the process
        code = SIGNALLED + number if number else self._code
        select.select([], [], [], GRACE_SECONDS)
        os._exit(code)


_watchdog: Watchdog | None = None
_received = 0
"""The signal that the process ends by; 0 before."""


def run(command: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> NoReturn:
    """Run `command(arguments)`, then leave the process with the code that it returns.

    After a signal the code is the signal's, whatever the command makes of SignalledError: in
    Python 3.11, `__set_name__` replaces what is raised in it by RuntimeError. The interpreter is
    not finalized: that would wait for the threads of a search cut short.
    """
    try:
        watch()
        code = command(arguments)
    except SignalledError:
        code = FAULT
    leave(SIGNALLED + _received if _received else code)


def watch() -> None:
    """Raise SignalledError in the main thread on SIGINT, SIGTERM and SIGHUP; start the watchdog."""
    global _watchdog  # noqa: PLW0603 - a process has one set of signal handlers
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` ignores SIGHUP
            signal.signal(number, _end)
    _watchdog = Watchdog()


def unwatch() -> None:
    """Handle signals as any Python program does, without a watchdog."""
    global _watchdog  # noqa: PLW0603 - see `watch`
    if _watchdog is not None:
        signal.set_wakeup_fd(-1)
        _watchdog = None
        for number in ENDING:
            if signal.getsignal(number) is _end:
                default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
                signal.signal(number, default)


def hurry(code: int) -> None:
    """Limit the time for closing: then the process is ended by force.

    Does nothing in a process that `run` did not start, as in tests of the command's functions.
    """
    if _watchdog is not None:
        _watchdog.arm(code)


def leave(code: int) -> NoReturn:
    """Write what is buffered and end the process at once."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        pass  # the reader has closed the pipe
    except (OSError, ValueError) as error:
        if code != FAULT:
            complain(f"gistapi: cannot write to standard output: {reason(error)}")
        code = FAULT
    os._exit(code)


def complain(line: str) -> None:
    """Write one line to standard error, if that is possible; after a signal nobody asks for it."""
    if _received:
        return
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        pass  # nobody can read it


def reason(error: Exception) -> str:
    """The operating system's words for an error, without its number."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _end(number: int, _frame: FrameType | None) -> None:
    global _received  # noqa: PLW0603 - a process ends once
    _received = number
    for ending in ENDING:
        signal.signal(ending, _end_now)
    raise SignalledError(number)


def _end_now(number: int, _frame: FrameType | None) -> None:
    os._exit(SIGNALLED + number)
