"""The lines to print of a file, assembled from its matches and their context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gistapi.client import FileMatches, LineMatch, Match


@dataclass(slots=True)
class Row:
    """One line: `number` counts from 1; `spans` are the matches in `text`, none in context.

    `skipped` characters of the line stand before `text`; `cut`: some before or after it.
    """

    number: int
    text: str
    spans: list[tuple[int, int]] = field(default_factory=list)
    is_match: bool = False
    skipped: int = 0
    cut: bool = False
    url: str | None = None


def rows(file: FileMatches, *, before: int, after: int, max_lines: int | None) -> list[Row]:
    """The lines with matches, at most `max_lines` of them, and their context, in order.

    As ripgrep does, context after the last of `max_lines` is shown although it may match too.
    """
    found: dict[int, Row] = {}
    for match in file.matches:
        _add(found, match)
    matched = sorted(found)
    for match in file.matches:
        _add_context(found, match, before, after)
    ordered = [found[number] for number in sorted(found)]
    if max_lines is None or len(matched) <= max_lines:
        return ordered
    last = matched[max_lines - 1] + after
    return [row for row in ordered if row.number <= last]


def _add(found: dict[int, Row], match: LineMatch) -> None:
    skipped = match.column - 1 - match.start
    for number, (piece, start, end) in enumerate(_pieces(match), match.line):
        row = found.get(number)
        if row is None:
            row = Row(number, piece, is_match=True, skipped=skipped, cut=match.cut, url=match.url)
            found[number] = row
        moved = skipped - row.skipped
        low = min(max(start + moved, 0), len(row.text))
        row.spans.append((low, min(max(end + moved, low), len(row.text))))
        skipped = 0


def _pieces(match: LineMatch) -> list[tuple[str, int, int]]:
    """Each line of a match, with the match's part of it."""
    pieces: list[tuple[str, int, int]] = []
    offset = 0
    for piece in match.text.split("\n"):
        start, end = max(match.start - offset, 0), min(match.end - offset, len(piece))
        # A match that ends with a line end has nothing in the next line.
        if pieces and match.end <= offset:
            break
        pieces.append((piece.removesuffix("\r"), min(start, len(piece)), max(end, 0)))
        offset += len(piece) + 1
    return pieces


def _add_context(found: dict[int, Row], match: LineMatch, before: int, after: int) -> None:
    first, last = match.line, match.line + len(_pieces(match)) - 1
    wanted = match.before[-before:] if before else ()
    for number, text in enumerate(wanted, first - len(wanted)):
        found.setdefault(number, Row(number, text))
    for number, text in enumerate(match.after[:after], last + 1):
        found.setdefault(number, Row(number, text))


def without_phantoms(match: Match) -> Match | None:
    """The match without those after the last line end, where Python sees one more empty line.

    It needs at least one line of context. None if nothing is left.
    """
    files = tuple(_without_phantom(file) for file in match.files)
    left = tuple(file for file in files if file.matches)
    return replace(match, files=left) if left else None


def _without_phantom(file: FileMatches) -> FileMatches:
    if not file.matches or file.more or file.found_in != "content":
        return file
    last = file.matches[-1]
    # A real empty line that is the file's last one is followed by the phantom, so is never last.
    is_phantom = not (last.text or last.after)
    return replace(file, matches=file.matches[:-1]) if is_phantom else file


def count(file: FileMatches, max_lines: int | None) -> int:
    """How many matches a file has, in its first `max_lines` lines with matches."""
    lines = sorted({match.line for match in file.matches})[:max_lines]
    return sum(match.line in lines for match in file.matches)


def separated(found: Sequence[Row]) -> list[list[Row]]:
    """Runs of adjacent lines."""
    runs: list[list[Row]] = []
    for row in found:
        if runs and row.number == runs[-1][-1].number + 1:
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs
