"""A matching gist as text: in ripgrep's formats, byte for byte below the gist's heading."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gistapi.cli.query import Options
from gistapi.cli.rows import Row, count, rows, separated
from gistapi.cli.terminal import LINE, MATCH, PATH, TITLE, Style, safe
from gistapi.client import FileMatches, Match

Format = Callable[[Match], str]
"""All lines of one gist, each with its line end."""

PLACES = {"description": "(description)", "name": "(name)"}
"""Shown in place of the file where a gist's description or a file's name matches."""


def format_for(options: Options, style: Style) -> Format:
    """The format that the options select."""
    if options.style == "list":
        return lambda match: _address(match, style) + "\n"
    if options.invert_match:
        return lambda match: _heading(match, style) + "\n"
    if options.style == "count-matches":
        return _CountFormat(options, style).gist
    return LineFormat(options, style).gist


class _CountFormat:
    def __init__(self, options: Options, style: Style) -> None:
        self._max_lines = options.max_count
        self._style = style

    def gist(self, match: Match) -> str:
        """`ADDRESS/FILE:COUNT` for each file."""
        lines = []
        for file in match.files:
            path = self._style.paint(_path(match, file), PATH)
            lines.append(f"{path}:{count(file, self._max_lines)}\n")
        return "".join(lines)


class LineFormat:
    """Lines with matches and their context."""

    def __init__(self, options: Options, style: Style) -> None:
        self._options = options
        self._style = style
        self._headed = options.heading and options.style != "vimgrep"
        self._numbered = options.line_number or options.style == "vimgrep"
        self._column = options.column or options.style == "vimgrep"
        self._context = bool(options.before or options.after)
        self._first = True

    def gist(self, match: Match) -> str:
        """The lines of one gist; what separates it from the one before is included."""
        blocks: list[str] = []
        for file in match.files:
            blocks += self._file(match, file)
        separator = "--\n" if self._context else ""
        text = separator.join(blocks)
        before = "" if self._first else "\n" if self._headed else separator
        self._first = False
        heading = _heading(match, self._style) + "\n" if self._headed else ""
        return before + heading + text

    def _file(self, match: Match, file: FileMatches) -> list[str]:
        """The file's runs of adjacent lines, each as text."""
        options = self._options
        found = rows(file, before=options.before, after=options.after, max_lines=options.max_count)
        path = _place(file) if self._headed else _path(match, file)
        return ["".join(self._lines(path, run)) for run in separated(found)]

    def _lines(self, path: str, run: list[Row]) -> Iterator[str]:
        for row in run:
            if not row.is_match:
                yield self._prefix(path, row, "-", None) + self._whole(row) + "\n"
            elif self._options.only_matching:
                for start, end in row.spans:
                    shown = self._limited(row, row.text[start:end], self._marked)
                    yield self._prefix(path, row, ":", start) + shown + "\n"
            elif self._options.style == "vimgrep":
                for start, _ in row.spans:
                    yield self._prefix(path, row, ":", start) + self._whole(row) + "\n"
            else:
                yield self._prefix(path, row, ":", row.spans[0][0]) + self._whole(row) + "\n"

    def _prefix(self, path: str, row: Row, separator: str, start: int | None) -> str:
        style = self._style
        parts = [style.paint(path, PATH)]
        if self._numbered:
            number = style.paint(str(row.number), LINE)
            parts.append(style.link(number, row.url))
        if self._column and start is not None:
            # In bytes, as ripgrep counts; what was cut off before the text is known in characters.
            before = len(row.text[:start].encode("utf-8", "surrogatepass"))
            parts.append(style.paint(str(row.skipped + before + 1), ""))
        return separator.join(parts) + separator

    def _whole(self, row: Row) -> str:
        return self._limited(row, row.text, lambda text: self._painted(row, text))

    def _limited(self, row: Row, text: str, paint: Callable[[str], str]) -> str:
        """`text`, or what ripgrep writes for a line that is longer than --max-columns."""
        columns = self._options.max_columns
        is_long = columns is not None and len(text.encode("utf-8", "surrogatepass")) > columns
        if columns is not None and is_long:
            if not self._options.max_columns_preview:
                return self._omission(row)
            return paint(_first_bytes(text, columns)) + " [... omitted end of long line]"
        whole = paint(text)
        is_line = not self._options.only_matching or not row.is_match
        return whole + " [... omitted rest of long line]" if row.cut and is_line else whole

    def _omission(self, row: Row) -> str:
        if not row.is_match:
            return "[Omitted long context line]"
        if self._options.only_matching or not (self._style.colors or self._column):
            return "[Omitted long matching line]"
        return f"[Omitted long line with {len(row.spans)} matches]"

    def _painted(self, row: Row, text: str) -> str:
        if not self._style.colors:
            return safe(text)
        pieces, at = [], 0
        for start, end in row.spans:
            begin, stop = max(start, at), min(end, len(text))
            if stop > begin:
                pieces += [safe(text[at:begin]), self._marked(text[begin:stop])]
                at = stop
        return "".join(pieces) + safe(text[at:])

    def _marked(self, text: str) -> str:
        return self._style.paint(safe(text), MATCH) if text else ""


def _place(file: FileMatches) -> str:
    """The file's name, or what else matches."""
    return PLACES.get(file.found_in) or safe(file.file or "", keep="")


def _path(match: Match, file: FileMatches) -> str:
    return f"{safe(match.gist, keep='')}/{_place(file)}"


def _address(match: Match, style: Style) -> str:
    return style.link(style.paint(safe(match.gist, keep=""), PATH), match.gist)


def _heading(match: Match, style: Style) -> str:
    heading = _address(match, style)
    if match.description:
        heading += "  " + style.paint(safe(match.description, keep=""), TITLE)
    return heading


def _first_bytes(text: str, size: int) -> str:
    return text.encode("utf-8", "surrogatepass")[:size].decode("utf-8", "ignore")
