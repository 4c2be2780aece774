"""The domain's vocabulary: frozen values without behaviour, with units in their names."""

from __future__ import annotations

from collections.abc import AsyncGenerator
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
    owner: str | None = None
    node_id: str | None = None


@dataclass(frozen=True, slots=True)
class ClonedFile:
    """One file of a gist, as git yields it.

    `name` is UTF-8 with invalid bytes replaced. `chunks` yields the content in parts of at most
    64 KiB; the parts that were not read are skipped when the next file is requested.
    """

    name: str
    size_bytes: int
    blob_sha: str
    chunks: AsyncGenerator[bytes]


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a user's public gists, in GitHub's order.

    `last`: the listing is complete with this page. `unreadable` entries had no address to name
    them by. `age_seconds` is the time since GitHub was asked for changes. `stale_seconds` is the
    age of a listing that could not be revalidated.
    """

    gists: tuple[Gist, ...]
    last: bool
    unreadable: int = 0
    stale_seconds: float | None = None
    age_seconds: float = 0.0


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
    """One search: where, for what, in which files, and how much of it to return.

    The fields are those of the HTTP contract, with its defaults; `username` may be None when
    another field names a target. `files` are globs (a leading `!` excludes), `languages` GitHub's
    names; empty means all. `cursor` is the opaque text of an earlier answer's `next`.
    """

    username: str | None
    pattern: str
    flags: Flags = Flags()
    files: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    updated_since: datetime | None = None
    updated_until: datetime | None = None
    limit: int | None = None
    cursor: str | None = None
    usernames: tuple[str, ...] = ()
    organization: str | None = None
    gists: tuple[str, ...] = ()
    mine: bool = False
    starred: bool = False
    details: bool = False
    max_count: int | None = None
    context: int = 0
    names: bool = False

    @property
    def targets(self) -> tuple[Target, ...]:
        """The places to search, in the order of the answer, each once."""
        users = ((self.username,) if self.username is not None else ()) + self.usernames
        targets = [Target("username", login) for login in users]
        if self.organization is not None:
            targets.append(Target("organization", self.organization))
        targets += [Target("gist", gist) for gist in self.gists]
        if self.mine:
            targets.append(Target("mine"))
        if self.starred:
            targets.append(Target("starred"))
        return tuple({(target.kind, target.name.lower()): target for target in targets}.values())


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a pattern matched in one text.

    Lines and columns count from 1, columns in characters; `end_line` and `end_column` are the
    position behind the match's last character. `text` is the line or lines of the match, cut to
    300 characters around its beginning if `cut`; `start` and `end` are the match's 0-based offsets
    in `text`, clipped to it. `before` and `after` are the lines around, each cut to 300 characters.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    start: int
    end: int
    cut: bool
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hits:
    """The first matches in one text, at least one.

    `more`: the text has further matches, or may have some because the search took too long. None
    if they were not searched for.
    """

    hits: tuple[Hit, ...]
    more: bool | None = None


@dataclass(frozen=True, slots=True)
class FileMatch:
    """The matches in one file of a gist, or in its name or the gist's description."""

    file: GistFile | None
    hits: tuple[Hit, ...]
    more: bool | None = None
    found_in: Literal["content", "name", "description"] = "content"


@dataclass(frozen=True, slots=True)
class Begin:
    """The first page of the listing has arrived."""


@dataclass(frozen=True, slots=True)
class Match:
    """A gist that matches, and where.

    `number` is its place in the order of the answer; `has_more` if it has more matches than an
    answer shows of one gist.
    """

    gist: Gist
    files: tuple[FileMatch, ...]
    number: int = 0
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class Incomplete:
    """What could not be searched, and why.

    `gist` is an `html_url`, None for the search as a whole; `reason` is one of the contract's codes
    (docs/api.md).
    """

    gist: str | None
    file: str | None
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a search; `gists_total` is None until the listing is complete."""

    gists_done: int
    gists_total: int | None
    files_done: int
    bytes_done: int


@dataclass(frozen=True, slots=True)
class TargetEnd:
    """The outcome of one target of a search for several; `error` if it could not be listed."""

    target: Target
    gists: int
    matches: int
    partial: bool = False
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Searched:
    """How much a search read, and the age of the oldest of its lists."""

    gists: int = 0
    files: int = 0
    size_bytes: int = 0
    listing_age_seconds: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """The end of a search: `partial` if an Incomplete was sent, `next` the cursor to continue."""

    partial: bool
    matches: int
    next: str | None
    elapsed_seconds: float
    searched: Searched = Searched()


SearchEvent = Begin | Match | Incomplete | Progress | TargetEnd | End
