"""The files that one search has in hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gistapi.search.gist_state import GistState


class FilesInTurn:
    """Searches files, `count` at once, those of one gist before those of the next.

    A file has no task before its place: a gist may have hundreds of files, and a search many gists.
    """

    def __init__(self, count: int) -> None:
        self._places = asyncio.Semaphore(count)
        self._turn = asyncio.Lock()

    async def run(self, state: GistState, search: Callable[[int], Awaitable[None]]) -> None:
        """Search a gist's open files concurrently; those that no longer matter are cancelled."""
        indexes = list(state.open_indexes())
        if len(indexes) == 1:
            async with self._turn:
                await self._places.acquire()
            try:
                await search(indexes[0])
            finally:
                self._places.release()
            return
        tasks: dict[int, asyncio.Task[None]] = {}

        async def one(index: int) -> None:
            end = state.end
            await search(index)
            del tasks[index]
            if state.end < end:
                for other, task in tasks.items():
                    if other >= state.end:
                        task.cancel()

        async def start() -> None:
            async with self._turn:
                for index in indexes:
                    if index >= state.end:
                        return
                    tasks[index] = starting  # while it waits for this file's place
                    await self._places.acquire()
                    name = f"file {index} of gist {state.slot.gist.id}"
                    tasks[index] = group.create_task(one(index), name=name)
                    # Not in `one`: a task that is cancelled before its start never runs.
                    tasks[index].add_done_callback(lambda _: self._places.release())

        async with asyncio.TaskGroup() as group:
            starting = group.create_task(start(), name=f"files of gist {state.slot.gist.id}")
