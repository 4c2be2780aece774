"""Controls one worker process from its parent."""

from __future__ import annotations

import asyncio
import contextlib
import marshal
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from asyncio.subprocess import Process as Child
from collections.abc import Sequence
from typing import Self, cast

from gistapi.matching import worker
from gistapi.matching.pattern import Engine

START_SECONDS = 10.0
_WRITE_BYTES = 256 << 10
LARGE_BUFFER_BYTES = 2**20
"""glibc returns a text of this size when it is freed, and would keep up to 32 MiB of each."""
Answers = tuple[list[worker.Answer], bool]


class Process:
    """A child that runs `worker`; one request at a time. For the loop alone."""

    def __init__(self, child: Child) -> None:
        self.killed = False
        self._child = child
        assert child.stdin is not None  # noqa: S101 - PIPE makes both
        assert child.stdout is not None  # noqa: S101
        self._requests, self._answers = child.stdin, child.stdout

    @classmethod
    async def start(cls) -> Self:
        """Start one and wait until it is ready.

        Raises OSError if it cannot be started, ends at once or takes too long.
        """
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            worker.__file__,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            # A process that runs strangers' patterns gets no secrets of the environment.
            env={
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                "MALLOC_MMAP_THRESHOLD_": str(LARGE_BUFFER_BYTES),
            },
            start_new_session=True,
        )
        process = cls(child)
        try:
            async with asyncio.timeout(START_SECONDS):
                await process._answers.readexactly(len(worker.READY))
        except (EOFError, TimeoutError) as error:
            process.killed = isinstance(error, EOFError)
            await process.close()
            raise OSError("a matching worker did not start") from error
        except BaseException:
            process.kill()
            raise
        return process

    @property
    def pid(self) -> int:
        """The operating system's number for it."""
        return self._child.pid

    async def ask(
        self,
        engine: Engine,
        work: Sequence[tuple[bytes | bytearray, worker.Task]],
        patience: float,
        limit: float,
    ) -> Answers:
        """Have these texts searched, as `worker` describes it.

        The caller ends the wait after `limit` seconds. Raises EOFError when the worker is dead.
        """
        tasks = [(len(text), task) for text, task in work]
        request = marshal.dumps((*engine.key, patience, limit, tasks))
        try:
            head = worker.LENGTH.pack(len(request)) + request
            if len(work) == 1:
                await self._write(head)
                await self._write(work[0][0])
            else:
                await self._write(b"".join((head, *(text for text, _ in work))))
            (size,) = worker.LENGTH.unpack(await self._answers.readexactly(worker.LENGTH.size))
            body = await self._answers.readexactly(size)
        except (EOFError, ConnectionError):
            self.killed = True
            raise EOFError from None
        return cast("Answers", marshal.loads(body))  # noqa: S302 - ours

    def kill(self) -> None:
        """End it at once; `ask` raises EOFError. Idempotent."""
        if not self.killed:  # a second signal could reap it before asyncio does
            self.killed = True
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()

    async def close(self) -> None:
        """Kill it and wait for its end."""
        self.kill()
        self._requests.close()
        await self._child.wait()

    async def _write(self, data: bytes | bytearray) -> None:
        for start in range(0, len(data), _WRITE_BYTES):
            self._requests.write(bytes(data[start : start + _WRITE_BYTES]))
            await self._requests.drain()
