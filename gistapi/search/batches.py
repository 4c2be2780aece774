"""How many files are read and searched together, and how much memory they need meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

from gistapi.models import GistFile
from gistapi.search.gist_state import GistState

SMALL_BYTES = 2**20
"""Files up to this size are read whole, checked, kept and then searched; larger ones streamed."""
BATCH_BYTES = 2 * 2**20
"""Cached contents that are read and searched together, with their matches."""
HIT_BYTES = 512
"""What one match takes beside the lines that it shows."""


def batches(
    places: dict[str, list[tuple[GistState, int]]], max_count: int | None
) -> Iterator[tuple[dict[str, int | None], int]]:
    """Cut the wanted contents into batches of about BATCH_BYTES: sizes by SHA, and their cost."""
    batch: dict[str, int | None] = {}
    cost = 0
    for sha, found in places.items():
        state, index = found[0]
        batch[sha] = state.files[index].size_bytes
        cost += cost_bytes(state.files[index], max_count)
        if cost >= BATCH_BYTES:
            yield batch, cost
            batch, cost = {}, 0
    if batch:
        yield batch, cost


def cost_bytes(file: GistFile, max_count: int | None) -> int:
    """The most memory that a file takes while it is searched whole for `max_count` matches."""
    size = file.size_bytes or 0
    return size + HIT_BYTES * min(max_count or 1, size + 1)


def is_small(file: GistFile) -> bool:
    """Whether a file is read whole; one of unknown size is not."""
    return file.size_bytes is not None and file.size_bytes <= SMALL_BYTES
