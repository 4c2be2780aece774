"""The files that one search has in hand."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from gistapi.search.gist_state import GistState


class _Turn:
    """The files of one gist. Those `left` wait for a place; `all_begun` is done once none does."""

    def __init__(
        self,
        state: GistState,
        search: Callable[[int], Awaitable[None]],
        group: asyncio.TaskGroup,
    ) -> None:
        self.left = deque(state.open_indexes())
        self.all_begun = asyncio.get_running_loop().create_future()
        self._state = state
        self._search = search
        self._group = group
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def begin(self) -> asyncio.Task[None]:
        """Search the next file."""
        index = self.left.popleft()
        name = f"file {index} of gist {self._state.slot.gist.id}"
        task = self._tasks[index] = self._group.create_task(self._one(index), name=name)
        if not self.left:
            self.end()
        return task

    def end(self) -> None:
        """Begin no more files. Idempotent."""
        self.left.clear()
        if not self.all_begun.done():
            self.all_begun.set_result(None)

    async def _one(self, index: int) -> None:
        try:
            await self._search(index)
        except BaseException:
            self.end()
            raise
        del self._tasks[index]
        if self._state.leaves_out_files:
            self.left = deque(filter(self._state.is_open, self.left))
            if not self.left:
                self.end()
            for other, task in self._tasks.items():
                if not self._state.is_open(other):
                    task.cancel()


class FilesInTurn:
    """Searches files, `count` at once, those of one gist before those of the next.

    A file has no task before its place: a gist may have hundreds of files, and a search many gists.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._turns: deque[_Turn] = deque()

    async def run(self, state: GistState, search: Callable[[int], Awaitable[None]]) -> None:
        """Search a gist's open files concurrently; those that no longer matter are cancelled."""
        async with asyncio.TaskGroup() as group:
            turn = _Turn(state, search, group)
            self._turns.append(turn)
            self._begin()
            try:
                await turn.all_begun
            finally:
                turn.end()

    def _begin(self) -> None:
        while self._free and self._turns:
            turn = self._turns[0]
            if not turn.left:
                self._turns.popleft()
                continue
            self._free -= 1
            # Not in the task: one that is cancelled before its start never runs.
            turn.begin().add_done_callback(self._ended)

    def _ended(self, _: asyncio.Task[None]) -> None:
        self._free += 1
        self._begin()
