"""The files that one search has in hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gistapi.search.gist_state import GistState

Search = Callable[[int], Awaitable[None]]
"""Searches the file with this index."""


class FilesInTurn:
    """Searches files, `count` at once, those of one gist before those of the next.

    A file has no task before its place: a gist may have hundreds of files, and a search many gists.
    """

    def __init__(self, count: int) -> None:
        self._places = asyncio.Semaphore(count)
        self._turn = asyncio.Lock()

    async def run(self, state: GistState, search: Search) -> None:
        """Search a gist's open files concurrently; those that no longer matter are cancelled."""
        indexes = list(state.open_indexes())
        if len(indexes) == 1:
            await self._one(indexes[0], search)
        else:
            await self._several(state, indexes, search)

    async def _one(self, index: int, search: Search) -> None:
        async with self._turn:
            await self._places.acquire()
        try:
            await search(index)
        finally:
            self._places.release()

    async def _several(self, state: GistState, indexes: list[int], search: Search) -> None:
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

        try:
            async with asyncio.TaskGroup() as group:
                starting = group.create_task(start(), name=f"files of gist {state.slot.gist.id}")
        finally:
            tasks.clear()  # those that were cancelled hold their frames, which hold them
