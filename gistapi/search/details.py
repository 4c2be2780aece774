"""Builds the JSON object of a gist that matches: its files, and the matches in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, NotRequired
from urllib.parse import quote

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on only

from gistapi.matching.window import LINE_CHARACTERS
from gistapi.models import FileMatch, Gist, Hit, Match
from gistapi.search.times import format_time

MANY_HITS = 32
"""Number of matches in a file from which they are built as they are read: 1,000 take 1 MiB."""
GistUrl = Annotated[str, Field(description="URL of the gist, as GitHub returned it.")]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Place = Annotated[int, Field(ge=1)]
Offset = Annotated[int, Field(ge=0, le=LINE_CHARACTERS)]
Line = Annotated[str, Field(max_length=LINE_CHARACTERS)]


class MatchDetail(TypedDict):
    """One match. Lines and columns count from 1, columns in characters."""

    line: Place
    column: Place
    end_line: Annotated[int, Field(ge=1, description="Line of the position after the match.")]
    end_column: Place
    text: Annotated[
        str,
        Field(
            max_length=LINE_CHARACTERS,
            description="Line or lines of the match, cut to 300 characters around its start.",
        ),
    ]
    start: Annotated[Offset, Field(description="Offset of the match in `text`.")]
    end: Offset
    cut: Annotated[bool, Field(description="Whether `text` is only a part of these lines.")]
    before: NotRequired[Annotated[list[Line], Field(description="With `context`.")]]
    after: NotRequired[Annotated[list[Line], Field(description="With `context`.")]]
    url: Annotated[str, Field(description="Link to the lines on GitHub.")]


# `in` is a keyword of Python
_In = TypedDict(
    "_In",
    {
        "in": NotRequired[
            Annotated[
                Literal["name", "description"],
                Field(description="With `names`: the match is not in the file's content."),
            ]
        ]
    },
)


class FileDetail(_In):
    """The matches in a file, in its name, or in the gist's description."""

    file: Annotated[str | None, Field(description="Name of the file; null for the description.")]
    language: Annotated[str | None, Field(description="Language, as GitHub names it.")]
    size_bytes: Annotated[int | None, Field(ge=0)]
    more: Annotated[
        bool | None,
        Field(
            description="Whether the file has further matches. Also true if the search for them"
            " took too long; null if they were not searched for."
        ),
    ]
    matches: list[MatchDetail]


class Detail(TypedDict):
    """A gist that matches, and where."""

    gist: GistUrl
    owner: str | None
    description: str | None
    created_at: Time
    updated_at: Time
    files: Annotated[
        list[FileDetail],
        Field(description="In GitHub's order. Without `max_count`, the first one that matches."),
    ]


class LazyObjects(Sequence[Any]):
    """Objects of an answer, each built when it is read, since they take more than their sources.

    `json_parts` reads them one at a time.
    """

    def __init__(self, items: Sequence[Any], make: Callable[[Any], object]) -> None:
        self._items = items
        self._make = make

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 - a Sequence's
        return self._make(self._items[index])


def detail(match: Match, *, context: bool, whole: bool = True) -> Detail:
    """Return the JSON object of a gist that matches.

    With `context`, its matches have `before` and `after`, even if these are empty. With `whole`
    false, the matches of a file with MANY_HITS are `LazyObjects`.
    """
    gist = match.gist
    return {
        "gist": gist.html_url,
        "owner": gist.owner,
        "description": gist.description,
        "created_at": format_time(gist.created_at),
        "updated_at": format_time(gist.updated_at),
        "files": [_file(gist, found, context=context, whole=whole) for found in match.files],
    }


def _file(gist: Gist, found: FileMatch, *, context: bool, whole: bool) -> FileDetail:
    file = found.file
    url = gist.html_url if file is None else f"{gist.html_url}#file-{_slug(file.name)}"
    has_lines = file is not None and found.found_in == "content"

    def make(hit: Hit) -> MatchDetail:
        return _match(hit, url + _lines(hit) if has_lines else url, context=context)

    matches: Sequence[MatchDetail] = LazyObjects(found.hits, make)
    if whole or len(matches) < MANY_HITS:
        matches = list(matches)
    entry: FileDetail = {
        "file": None if file is None else file.name,
        "language": None if file is None else file.language,
        "size_bytes": None if file is None else file.size_bytes,
        "more": found.more,
        "matches": matches,  # type: ignore[typeddict-item]
    }
    if found.found_in != "content":
        entry["in"] = found.found_in
    return entry


def _match(hit: Hit, url: str, *, context: bool) -> MatchDetail:
    entry: dict[str, Any] = {
        "line": hit.line,
        "column": hit.column,
        "end_line": hit.end_line,
        "end_column": hit.end_column,
        "text": hit.text,
        "start": hit.start,
        "end": hit.end,
        "cut": hit.cut,
    }
    if context:
        entry |= {"before": list(hit.before), "after": list(hit.after)}
    entry["url"] = url
    return entry  # type: ignore[return-value]


def _lines(hit: Hit) -> str:
    """Return the end of a URL that names the lines of a match."""
    # A match that ends with a newline ends at column 1 of a line that it does not contain.
    last = hit.end_line - (hit.end_column == 1 and hit.end_line > hit.line)
    return f"-L{hit.line}-L{last}" if last > hit.line else f"-L{hit.line}"


def _slug(name: str) -> str:
    # docs/decisions/line-address.md
    return quote(re.sub(r"\W+", "-", name.lower()).strip("-"), errors="replace")
