"""Searches what the cache has of gists: names, and small contents in batches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from gistapi.models import GistFile, Hits
from gistapi.search.batches import batches
from gistapi.search.gist_state import GistState
from gistapi.search.share import Room
from gistapi.search.sizes import is_small

if TYPE_CHECKING:
    from gistapi.search.reader import Reader

Batch = dict[str, int | None]
"""Sizes of contents by their SHA."""
Places = dict[str, list[tuple[GistState, int]]]
"""The files of each content, by its SHA."""


async def read_cached(reader: Reader, states: Sequence[GistState]) -> None:
    """Search what the cache has of these gists, in batches that fit the budget."""
    if reader.wants_names:
        for state in states:
            await _search_names(reader, state)
    places: Places = {}
    for state in states:
        if state.slot.gist.truncated:
            continue
        for index, file in enumerate(state.files):
            if file.blob_sha is not None and is_small(file):
                places.setdefault(file.blob_sha, []).append((state, index))
    for batch, cost in batches(places, reader.max_count, reader.context):
        await _search_batch(reader, batch, cost, places)


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


async def _search_batch(reader: Reader, batch: Batch, cost: int, places: Places) -> None:
    """Search some contents of the cache; again those whose matches found no room."""
    most = 0
    while batch:
        async with reader.share.room(most) as room, reader.hold(cost):
            batch, most = await _searched(reader, room, batch, places)


async def _searched(reader: Reader, room: Room, batch: Batch, places: Places) -> tuple[Batch, int]:
    """Search contents once; returns those whose matches found no room, and what these take."""
    found = await reader.in_thread(partial(reader.kept, batch))
    results = await reader.matcher.search_many([content for _, content in found])
    left: Batch = {}
    most = 0
    for (sha, content), result in zip(found, results, strict=True):
        for state, index in places[sha]:
            if missing := reader.try_note(room, state, index, result, len(content)):
                left[sha] = batch[sha]
                most += missing
    return left, most
