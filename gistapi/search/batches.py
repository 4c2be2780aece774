"""Divides cached files into batches that are read and searched together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gistapi.search.gist_state import GistState
from gistapi.search.sizes import cost_bytes, is_small

BATCH_BYTES = 2 * 2**20
"""A batch ends with the content that brings it to this size."""
BATCH_COST_BYTES = 8 * 2**20
"""The same for the memory of the contents and of all matches that they may have."""
Places = dict[str, list[tuple[GistState, int]]]
"""The files of each content, by its SHA: a gist and the file's index in it."""


def batches(
    states: Sequence[GistState], max_count: int | None, context: int
) -> Iterator[tuple[Places, int]]:
    """Yield batches of the files that the cache may have, and the memory that each may take."""
    places: Places = {}
    size = cost = 0
    for state in states:
        if state.slot.gist.truncated:
            continue
        for index, file in enumerate(state.files):
            if file.blob_sha is None or not is_small(file):
                continue
            if file.blob_sha in places:
                places[file.blob_sha].append((state, index))
                continue
            places[file.blob_sha] = [(state, index)]
            size += file.size_bytes or 0
            cost += cost_bytes(file, max_count, context)
            if size >= BATCH_BYTES or cost >= BATCH_COST_BYTES:
                yield places, cost
                places, size, cost = {}, 0, 0
    if places:
        yield places, cost
