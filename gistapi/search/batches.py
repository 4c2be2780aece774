"""Divides cached files into batches that are read and searched together."""

from __future__ import annotations

from collections.abc import Iterator

from gistapi.search.gist_state import GistState
from gistapi.search.sizes import most_bytes

BATCH_BYTES = 2 * 2**20
"""A batch ends with the content that brings it to this size."""
BATCH_COST_BYTES = 8 * 2**20
"""The same for the memory of the contents and of all matches that they may have."""


def batches(
    places: dict[str, list[tuple[GistState, int]]], max_count: int | None, context: int
) -> Iterator[tuple[dict[str, int | None], int]]:
    """Yield batches of the wanted contents: their sizes by blob SHA, and the memory they may take.

    `places` maps a blob SHA to the gists that have it, each with the file's index in the gist.
    """
    batch: dict[str, int | None] = {}
    size = cost = 0
    for sha, found in places.items():
        state, index = found[0]
        size_bytes = batch[sha] = state.files[index].size_bytes
        size += size_bytes or 0
        cost += (size_bytes or 0) + most_bytes(size_bytes, max_count, context)
        if size >= BATCH_BYTES or cost >= BATCH_COST_BYTES:
            yield batch, cost
            batch, size, cost = {}, 0, 0
    if batch:
        yield batch, cost
