"""The files that one search has in hand."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from gistapi.search.gist_state import GistState

Search = Callable[[int], Awaitable[None]]
"""Searches the file with this index."""


class FilesInTurn:
    """Searches files, `count` at once, those of one gist before those of the next.

    Workers search one file after another, of any gist: a task for each file costs more. A worker
    ends when no file waits.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._workers: set[asyncio.Task[None]] = set()
        self._gists: deque[_Files] = deque()

    async def run(self, state: GistState, search: Search) -> None:
        """Search a gist's open files concurrently; those that no longer matter are cancelled.

        Returns when no worker is at one of them. Raises what `search` raises, as a group if that
        is more than one error; the gist's other files are cancelled then.
        """
        files = _Files(state, search)
        if files.waiting:
            self._gists.append(files)
        for _ in range(min(self._count - len(self._workers), len(files.waiting))):
            self._workers.add(asyncio.create_task(self._work(), name="file worker"))
        await files.end()

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        try:
            while (files := self._next()) is not None:
                await files.search_next(task)
        finally:
            self._workers.discard(task)  # at once: `run` counts those that look for files

    def _next(self) -> _Files | None:
        """The first gist with files that wait."""
        while self._gists and not self._gists[0].waiting:
            self._gists.popleft()
        return self._gists[0] if self._gists else None


class _Files:
    """One gist's files: those that wait for a worker, and the workers at the others."""

    def __init__(self, state: GistState, search: Search) -> None:
        self.waiting = deque(state.open_indexes())
        self._state = state
        self._search = search
        self._until = state.end
        self._workers: dict[int, asyncio.Task[None]] = {}
        self._called_off: set[int] = set()
        self._errors: list[BaseException] = []
        self._ended: asyncio.Future[None] | None = None

    async def search_next(self, worker: asyncio.Task[None]) -> None:
        """Search the next file that waits."""
        index = self.waiting.popleft()
        self._workers[index] = worker
        try:
            await self._search(index)
        except asyncio.CancelledError as error:
            if index not in self._called_off or worker.cancelling() > 1:
                self._errors.append(error)
                raise
        except BaseException as error:  # noqa: BLE001 - `end` raises it
            self._errors.append(error)
        finally:
            del self._workers[index]
            if index in self._called_off:
                worker.uncancel()
            self._call_off(0 if self._errors else self._state.end)
            if not (self._workers or self.waiting or self._ended is None or self._ended.done()):
                self._ended.set_result(None)

    async def end(self) -> None:
        """Wait until no file waits and no worker is at one."""
        is_cancelled = False
        while self._workers or self.waiting:
            self._ended = asyncio.get_running_loop().create_future()
            try:
                await self._ended
            except asyncio.CancelledError:
                is_cancelled = True
                self._call_off(0)
        errors, self._errors = self._errors, []
        try:
            if is_cancelled:
                raise asyncio.CancelledError
            if len(errors) > 1:
                raise BaseExceptionGroup("several files failed", errors)
            if errors:
                raise errors[0]
        finally:
            del errors  # or they would hold this frame, which holds them

    def _call_off(self, until: int) -> None:
        """Search no file from this one on."""
        if until >= self._until:
            return
        self._until = until
        while self.waiting and self.waiting[-1] >= until:
            self.waiting.pop()
        for index, worker in self._workers.items():
            if index >= until and index not in self._called_off:
                self._called_off.add(index)
                worker.cancel()
