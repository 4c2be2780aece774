"""A pseudo-terminal in which a test runs the command."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable, Mapping, Sequence

from tests.serving import SECONDS


def shown(
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    stdout: int | None = None,
    stderr: int | None = None,
    look: Callable[[bytearray], None] = lambda _: None,
) -> str:
    """What a terminal receives; `look` is called with what has arrived so far.

    `stdout` or `stderr` may be redirected. NO_COLOR is removed from the environment.
    """
    screen, keyboard = pty.openpty()
    with subprocess.Popen(
        command,
        env={name: value for name, value in environ.items() if name != "NO_COLOR"},
        stdin=keyboard,
        stdout=stdout or keyboard,
        stderr=stderr or keyboard,
    ) as process:
        os.close(keyboard)
        received = bytearray()
        while True:
            try:
                received += os.read(screen, 65536)
                look(received)
            except OSError:  # the other end is closed
                break
        process.wait(SECONDS)
    os.close(screen)
    return received.decode()
