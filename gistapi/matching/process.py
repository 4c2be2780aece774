"""One worker process, seen from its parent."""

from __future__ import annotations

import contextlib
import marshal
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from gistapi.matching import worker
from gistapi.matching.pattern import Engine


@dataclass(eq=False)
class Job:
    """One text for a worker: search it between the byte offsets `start` and `end`.

    `seconds` is how long it may take. When `done`, `answer` is the match's span in bytes or None,
    or else `failure` says why there is no answer; `spent_seconds` is what it took. `alone`: it may
    not travel with others. `taken`: somebody is at it.
    """

    engine: Engine
    text: bytes | bytearray
    start: int
    end: int
    seconds: float
    answer: tuple[int, int] | None = None
    failure: str | None = None
    spent_seconds: float = 0.0
    done: bool = False
    alone: bool = False
    taken: bool = False


class Process:
    """A child that runs `worker`, driven by one thread at a time; only `kill` is for any."""

    def __init__(self) -> None:
        self.killed = False
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and program
            [sys.executable, "-P", worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            # No secret of the environment is for a process that runs strangers' patterns.
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,
        )
        assert self._child.stdin is not None  # noqa: S101 - PIPE makes both
        assert self._child.stdout is not None  # noqa: S101
        self._requests, self._answers = self._child.stdin, self._child.stdout

    @property
    def pid(self) -> int:
        """The operating system's number for it."""
        return self._child.pid

    def ask(self, jobs: Sequence[Job], patience: float, limit: float) -> list[worker.Answer]:
        """Have these texts searched, all with the first one's engine.

        The worker stops by itself after `patience` seconds, with what it has by then. Raises
        TimeoutError when nothing came within `limit` seconds, EOFError when the worker is dead.
        """
        engine = jobs[0].engine
        spans = [(len(job.text), job.start, job.end) for job in jobs]
        head = (engine.name, engine.source, engine.flags, engine.word, patience, limit, spans)
        request = marshal.dumps(head)
        try:
            self._write(worker.LENGTH.pack(len(request)) + request)
            for job in jobs:
                self._write(job.text)
        except BrokenPipeError:
            raise EOFError from None
        poller = select.poll()
        poller.register(self._answers, select.POLLIN)
        if not poller.poll(limit * 1000):
            raise TimeoutError
        (size,) = worker.LENGTH.unpack(self._read(worker.LENGTH.size))
        return cast("list[worker.Answer]", marshal.loads(self._read(size)))  # noqa: S302 - ours

    def kill(self) -> None:
        """End it at once; who waits for its answer gets an EOFError. Idempotent."""
        self.killed = True
        self._child.kill()

    def close(self) -> None:
        """Kill it, wait for its end, and close the pipes."""
        self.kill()
        self._child.wait()
        with contextlib.suppress(BrokenPipeError):
            self._requests.close()
        self._answers.close()

    def _write(self, data: bytes | bytearray) -> None:
        with memoryview(data) as view:
            sent = 0
            while sent < len(view):
                with view[sent:] as rest:
                    sent += self._requests.write(rest)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._answers.read(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data
