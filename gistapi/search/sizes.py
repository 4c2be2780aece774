"""Estimates the memory that a search takes for files and for matches."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from sys import getsizeof

from gistapi.matching.window import LINE_CHARACTERS
from gistapi.models import GistFile, Hit, Incomplete
from gistapi.search.reorder import Outcome

SMALL_BYTES = 2**20
"""Files up to this size are read whole, verified, cached and searched; larger ones are streamed."""
HIT_BYTES = 512
"""Memory of one match without the lines that it shows."""
_ENTRY_BYTES = 1024
"""Memory of a gap, of a gist without its matches, or of a file without its matches."""
_EMPTY_BYTES = getsizeof("\U0001f600")
_LINE_BYTES = _EMPTY_BYTES + 4 * LINE_CHARACTERS
"""Maximum memory of one line that is shown: four bytes per character."""
_POINTER_BYTES = 8


def is_small(file: GistFile) -> bool:
    """Whether a file is read whole. A file of unknown size is not."""
    return file.size_bytes is not None and file.size_bytes <= SMALL_BYTES


def cost_bytes(file: GistFile, max_count: int | None, context: int) -> int:
    """Return the maximum memory, in bytes, of a file that is read whole and of its matches."""
    return (file.size_bytes or 0) + most_bytes(file.size_bytes, max_count, context)


@lru_cache(4096)  # it is asked for each file
def most_bytes(size_bytes: int | None, max_count: int | None, context: int) -> int:
    """Return the maximum memory of the matches in one file; `size_bytes` is None if unknown.

    Matches share the lines around them, which together are no larger than the file.
    """
    count, line = max_count or 1, _LINE_BYTES
    if size_bytes is not None:
        count = min(count, size_bytes + 1)
        line = min(line, _EMPTY_BYTES + 4 * size_bytes)
    matches = count * (HIT_BYTES + line)
    if not context:
        return matches
    around = 2 * context * count
    lines = around * _LINE_BYTES
    if size_bytes is not None:
        lines = min(lines, _EMPTY_BYTES * min(around, size_bytes + 1) + 4 * size_bytes)
    return matches + around * _POINTER_BYTES + lines


def hits_bytes(hits: Iterable[Hit]) -> int:
    """Return the memory of the matches in one file; a line shown by several of them counts once."""
    lines: dict[int, str] = {}
    size = 0
    for hit in hits:
        size += HIT_BYTES + _POINTER_BYTES * (len(hit.before) + len(hit.after))
        for line in (hit.text, *hit.before, *hit.after):
            lines[id(line)] = line
    return size + sum(map(getsizeof, lines.values()))


def outcome_bytes(outcome: Outcome) -> int:
    """Return the memory of a gist's outcome, which is held until the answer has been sent."""
    size = sum(map(_gap_bytes, outcome.incomplete))
    if outcome.match is not None:
        size += _ENTRY_BYTES + getsizeof(outcome.match.gist.description)
        size += sum(_ENTRY_BYTES + hits_bytes(found.hits) for found in outcome.match.files)
    return size


def _gap_bytes(gap: Incomplete) -> int:
    return _ENTRY_BYTES + getsizeof(gap.file) + getsizeof(gap.message)
