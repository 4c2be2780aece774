"""The words of the domain: frozen values without behaviour, units in their names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

USERNAME = r"^[A-Za-z0-9_-]{1,39}$"
"""A GitHub login: live accounts begin or end with `-`, and have `--` or `_`."""


@dataclass(frozen=True, slots=True)
class Target:
    """One place to search: a user's gists, an organization's members, a gist, or the caller's own.

    `name` is a login, an organization's login or a gist's id; empty for `mine` and `starred`.
    """

    kind: Literal["username", "organization", "gist", "mine", "starred"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class GistFile:
    """One file of a gist, as GitHub's listing shows it.

    `blob_sha` is the git blob's SHA-1 in 40 lower-case hex digits, read from `raw_url`; None where
    the address has none. `size_bytes` and `raw_url` are None where the listing leaves them out.
    """

    name: str
    raw_url: str | None
    size_bytes: int | None
    language: str | None
    blob_sha: str | None


@dataclass(frozen=True, slots=True)
class Gist:
    """One public gist, as GitHub's listing shows it. Times are aware and in UTC.

    `truncated`: GitHub shows only the first 300 of its files. `node_id` names it in GraphQL.
    """

    id: str
    html_url: str
    description: str | None
    created_at: datetime
    updated_at: datetime
    files: tuple[GistFile, ...]
    truncated: bool
    git_pull_url: str | None
    node_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a user's public gists, in GitHub's order.

    `last`: the listing is complete with this page. `unreadable` entries had no address to name
    them by. `stale_seconds` is the age of a listing that GitHub could not be asked to confirm.
    """

    gists: tuple[Gist, ...]
    last: bool
    unreadable: int = 0
    stale_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Flags:
    """How a pattern is meant: `re.I`, `re.M`, `re.S`, grep's `-F` and `-w`."""

    ignore_case: bool = False
    multiline: bool = False
    dotall: bool = False
    fixed_string: bool = False
    word: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What a caller asks: whose gists, which pattern, what is searched and how much is answered.

    `files` are globs (a leading `!` excludes), `languages` GitHub's names; empty means all.
    `cursor` is the opaque text of an earlier answer's `next`.
    """

    username: str
    pattern: str
    flags: Flags = Flags()
    files: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    updated_since: datetime | None = None
    updated_until: datetime | None = None
    limit: int | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a pattern first matched in one text.

    `line` and `column` count from 1, columns in characters; `text` is the line on which the match
    begins, without its line end, cut to 300 characters around the match.
    """

    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class Begin:
    """The first page of the listing has come."""


@dataclass(frozen=True, slots=True)
class Match:
    """A gist that matches, and where: the first hit in one of its files."""

    gist: Gist
    file: GistFile
    hit: Hit


@dataclass(frozen=True, slots=True)
class Incomplete:
    """What could not be searched, and why.

    `gist` is an `html_url`, or None when it is the search as a whole; `reason` is one of the
    contract's codes (docs: the HTTP contract, "Reasons").
    """

    gist: str | None
    file: str | None
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search is; `gists_total` is None until the listing is complete."""

    gists_done: int
    gists_total: int | None
    files_done: int
    bytes_done: int


@dataclass(frozen=True, slots=True)
class End:
    """The end of a search: `partial` if an Incomplete was sent, `next` the cursor to go on with."""

    partial: bool
    matches: int
    next: str | None
    elapsed_seconds: float


SearchEvent = Begin | Match | Incomplete | Progress | End
