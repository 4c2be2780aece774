"""The files of a search take turns, and begin only if they matter."""

from __future__ import annotations

import asyncio

import pytest

from gistapi.models import GistFile, Hits
from gistapi.search.cursor import Place
from gistapi.search.files_in_turn import FilesInTurn
from gistapi.search.gist_state import GistState
from gistapi.search.reorder import Slot
from tests.aio.looping import run
from tests.search.test_reorder import gist_of

FOUND = Hits((), more=False)


def state_of(number: int, files: int) -> GistState:
    """A gist with some files."""
    slot = Slot(gist_of(number, 0), Place(), number)
    listed = (GistFile(f"{index}", None, 1, None, None) for index in range(files))
    return GistState(slot, tuple(listed))


def test_files_of_one_gist_come_before_those_of_the_next() -> None:
    """Places go to the first gist that has files left, and no file has two."""

    async def main() -> None:
        files, begun, at_once = FilesInTurn(2), list[tuple[int, int]](), 0

        async def one_gist(number: int) -> None:
            state = state_of(number, 3)

            async def search(index: int) -> None:
                nonlocal at_once
                begun.append((number, index))
                at_once += 1
                assert at_once <= 2
                await asyncio.sleep(1)
                at_once -= 1
                state.note(index, None)

            await files.run(state, search)

        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(one_gist(number))
        assert begun == [(number, index) for number in range(3) for index in range(3)]

    run(main())


@pytest.mark.parametrize("count", [1, 2])
def test_a_match_ends_the_wait_for_a_place(count: int) -> None:
    """The gist is decided at once, though its other files have no place or are being read."""

    async def main() -> None:
        files, state, begun = FilesInTurn(count), state_of(1, 5), list[int]()

        async def search(index: int) -> None:
            begun.append(index)
            await asyncio.sleep(1 if index == 0 else 3600)
            state.note(index, FOUND)

        began = asyncio.get_running_loop().time()
        await files.run(state, search)
        assert asyncio.get_running_loop().time() - began == pytest.approx(1)
        assert begun == list(range(count))
        await files.run(state_of(2, 2), search)  # the places are free again

    run(main())


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_no_file_begins_after_a_failure(*, is_cancelled: bool) -> None:
    """Nor after the gist's search was cancelled; the places are free again."""

    async def main() -> None:
        files, begun = FilesInTurn(1), list[int]()

        async def search(index: int) -> None:
            begun.append(index)
            await asyncio.sleep(1)
            raise ValueError

        task = asyncio.ensure_future(files.run(state_of(1, 3), search))
        await asyncio.sleep(0.5)
        if is_cancelled:
            task.cancel()
        with pytest.raises((ValueError, asyncio.CancelledError)):
            await task
        with pytest.raises(ValueError):  # noqa: PT011 - the one above
            await files.run(state_of(2, 1), search)
        assert begun == [0, 0]

    run(main())
