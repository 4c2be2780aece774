"""What happened, as events, and one Protocol to tell them to.

Metrics, logs and health hang on these; the code that does the work only tells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

RequestKind = Literal["list", "gist", "graphql", "raw", "git"]
"""The first three go to the API: listings, single gists, GraphQL."""


@dataclass(frozen=True, slots=True)
class GithubRequestEnded:
    """One HTTP request to GitHub ended.

    `status` is None when no answer came. `error` is the class of the error that ended the request,
    `cause` its words for the operator's log, without credentials.
    """

    kind: RequestKind
    host: str
    status: int | None
    error: str | None
    duration_seconds: float
    size_bytes: int
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class GithubBudgetSeen:
    """What the API said of its primary limit: `reset_seconds` from now."""

    limit: int
    remaining: int
    reset_seconds: float


@dataclass(frozen=True, slots=True)
class GithubLimited:
    """A host of GitHub wants us to wait."""

    host: str
    kind: Literal["primary", "secondary"]
    wait_seconds: float


ContentWay = Literal["raw", "graphql", "gist", "git"]
"""How a content comes: the raw host, GraphQL, the API's single gist, a clone."""
WayReason = Literal["preferred", "limited", "failed", "mismatch", "shared"]


@dataclass(frozen=True, slots=True)
class ContentRead:
    """The content of a small file came from GitHub: by which way, and why by this one.

    `preferred`: the cheapest way was free. Else a cheaper way was `limited`, had `failed`, or had
    brought something else (`mismatch`). `shared`: it came along with another file of its gist.
    """

    way: ContentWay
    reason: WayReason


@dataclass(frozen=True, slots=True)
class FileScanned:
    """A text went through the matcher, or `files` of them; `matched`: one of them at least."""

    engine: Literal["re2", "re"]
    size_bytes: int
    duration_seconds: float
    matched: bool
    files: int = 1


@dataclass(frozen=True, slots=True)
class WorkerKilled:
    """A matching worker was ended at its deadline, or died."""

    reason: Literal["timeout", "died"]


@dataclass(frozen=True, slots=True)
class CacheRead:
    """The cache was asked for `kind`: so many were there, so many not."""

    kind: Literal["content", "listing"]
    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class CacheFailed:
    """The cache could not do what it was asked to; the search went on without it."""

    operation: str
    error: str


@dataclass(frozen=True, slots=True)
class CountingFailed:
    """A limit could not be checked, for the store of the counters failed."""

    error: str


@dataclass(frozen=True, slots=True)
class SearchEnded:
    """A search is over. `outcome` is `success`, `partial`, `cancelled` or an error's class name."""

    outcome: str
    duration_seconds: float
    gists: int
    files: int
    size_bytes: int
    matches: int


Event = (
    GithubRequestEnded
    | GithubBudgetSeen
    | GithubLimited
    | ContentRead
    | FileScanned
    | WorkerKilled
    | CacheRead
    | CacheFailed
    | CountingFailed
    | SearchEnded
)

Observer = Callable[[Event], None]
"""Is told every event, from any thread; must be quick and raise nothing."""


def ignore(event: Event) -> None:
    """Observe nothing."""
