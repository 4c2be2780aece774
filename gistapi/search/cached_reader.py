"""Searches what the cache has of gists: names, and small contents in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from gistapi.models import GistFile, Hits
from gistapi.search.batches import Places, batches
from gistapi.search.gist_state import GistState
from gistapi.search.share import Room

if TYPE_CHECKING:
    from gistapi.search.reader import Reader

ROOM_BYTES = 2**19
"""What is waited for at once where many matches are expected: a stream finds a few at a time."""


async def read_cached(
    reader: Reader, states: Sequence[GistState], decided: Callable[[list[GistState]], None]
) -> list[GistState]:
    """Search what the cache has of these gists, in batches that fit the budget.

    The gists that are `decided` by a batch are passed on at once; returns the others.
    """
    left = dict.fromkeys(states)
    if reader.wants_names:
        for state in states:
            await _search_names(reader, state)
    expected = 0
    for places, cost in batches(states, reader.max_count, reader.context):
        todo = dict.fromkeys(places, expected)
        while todo:
            some, most = _few(todo)
            open_places = {sha: places[sha] for sha in some}
            if len(left) < len(states):
                open_places = _still_open(open_places, left)
            if not open_places:
                continue
            async with reader.share.room(most) as room, reader.hold(cost):
                without = await _searched(reader, room, open_places)
            expected = max(without.values(), default=(most - room.left_bytes) // len(some))
            todo |= without
            found = {state: None for wanted in open_places.values() for state, _ in wanted}
            _pass_on(found, left, decided)
    _pass_on(tuple(left), left, decided)
    return list(left)


def _still_open(places: Places, left: dict[GistState, None]) -> Places:
    """Those of the places whose gists are not decided."""
    found = {sha: [place for place in wanted if place[0] in left] for sha, wanted in places.items()}
    return {sha: wanted for sha, wanted in found.items() if wanted}


def _pass_on(
    states: Iterable[GistState],
    left: dict[GistState, None],
    decided: Callable[[list[GistState]], None],
) -> None:
    known = [state for state in states if state in left and not state.needs_reading]
    for state in known:
        del left[state]
    decided(known)


async def _search_names(reader: Reader, state: GistState) -> None:
    """Search a gist's description and the names of its files."""
    texts: list[tuple[GistFile | None, str]] = [(None, state.slot.gist.description or "")]
    texts += [(file, file.name) for file in state.files]
    async with reader.share.room(0):
        for file, text in texts:
            result = await reader.matcher.search(text.encode("utf-8", "replace"))
            if isinstance(result, Hits):
                state.note_name(file, result)
    reader.share.keep(state.slot.number, state.held_bytes)


def _few(left: dict[str, int]) -> tuple[list[str], int]:
    """Remove the first of these contents, whose matches take about ROOM_BYTES, and what they do."""
    some: list[str] = []
    most = 0
    if not any(left.values()):  # as a rule: all of them
        some += left
        left.clear()
    while left and most < ROOM_BYTES:
        some.append(next(iter(left)))
        most += left.pop(some[-1])
    return some, most


async def _searched(reader: Reader, room: Room, places: Places) -> dict[str, int]:
    """Search the contents of some places once.

    Returns those whose matches found no room, and what these take.
    """
    found = reader.shared.contents.contents_in_memory(places)
    if len(found) < len(places):
        missing = {
            sha: state.files[index].size_bytes
            for sha, ((state, index), *_) in places.items()
            if sha not in found
        }
        found |= await reader.in_thread(partial(reader.kept, missing))
    results = await reader.matcher.search_many(list(found.values()))
    matched = []
    files = size_bytes = 0
    for (sha, content), result in zip(found.items(), results, strict=True):
        if result is not None:
            matched.append((sha, content, result))
            continue
        for state, index in places[sha]:
            if index not in state.results:
                state.results[index] = None
                state.slot.size_bytes += len(content)
                size_bytes += len(content)
                files += 1
    reader.count(files, size_bytes)
    without: dict[str, int] = {}
    for sha, content, result in matched:
        for state, index in places[sha]:
            if lacking := reader.try_note(room, state, index, result, len(content)):
                without[sha] = without.get(sha, 0) + lacking
    return without
