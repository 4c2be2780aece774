"""Events: what happened, for metrics, logs and health.

The code that does the work emits them; observers decide what to do with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

RequestKind = Literal["list", "gist", "graphql", "raw", "git"]
"""The first three go to the API: listings, single gists, GraphQL."""


@dataclass(frozen=True, slots=True)
class GithubRequestEnded:
    """One HTTP request to GitHub ended.

    `status` is None if there was no answer. `error` is the class name of what broke the request or
    its answer; `message` is GitHub's own message or the library's, without credentials.
    """

    kind: RequestKind
    host: str
    status: int | None
    error: str | None
    duration_seconds: float
    size_bytes: int
    message: str | None = None


@dataclass(frozen=True, slots=True)
class GithubBudgetSeen:
    """The state of the API's primary limit; `reset_seconds` is from now."""

    limit: int
    remaining: int
    reset_seconds: float


@dataclass(frozen=True, slots=True)
class GithubLimited:
    """A host of GitHub asked to wait."""

    host: str
    kind: Literal["primary", "secondary"]
    wait_seconds: float


ContentWay = Literal["raw", "graphql", "gist", "git"]
"""The source of a content: the raw host, GraphQL, the API's single gist, a clone."""
WayReason = Literal["preferred", "limited", "failed", "mismatch", "shared"]


@dataclass(frozen=True, slots=True)
class ContentRead:
    """A small file was read from GitHub: from which source, and why from this one.

    `preferred`: the cheapest source was free. Else a cheaper one was `limited`, had `failed`, or
    had returned another content (`mismatch`). `shared`: it was read with another file of its gist.
    """

    way: ContentWay
    reason: WayReason


Resource = Literal["api", "graphql", "raw", "git"]
"""What GitHub limits separately."""


@dataclass(frozen=True, slots=True)
class HostState:
    """The state of a host of GitHub, which an observer may ask for.

    `concurrency` (requests at once) and `pace` (requests a second, None without a limit) are the
    current limits. `wait_seconds` is how long no request is sent. The budget is None where the host
    reports none.
    """

    host: str
    resource: Resource
    requests: int
    refusals: int
    concurrency: int
    pace: float | None
    wait_seconds: float
    budget: int | None
    budget_limit: int | None
    budget_reset_seconds: float | None


@dataclass(frozen=True, slots=True)
class FileScanned:
    """`files` texts were searched for a pattern."""

    engine: Literal["re2", "re"]
    size_bytes: int
    duration_seconds: float
    files: int = 1


@dataclass(frozen=True, slots=True)
class WorkerKilled:
    """A matching worker was ended at its deadline, died, or could not be started."""

    reason: Literal["timeout", "died", "not_started"]


@dataclass(frozen=True, slots=True)
class CacheRead:
    """Entries of a kind were looked up in the cache."""

    kind: Literal["content", "listing"]
    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class CacheFailed:
    """An operation of the cache failed; the search continues without it."""

    operation: str
    error: str


@dataclass(frozen=True, slots=True)
class CacheStatus:
    """The state of a cache, which an observer may ask for; `warn` while reading or writing fails.

    `message` says which fails, without a path or host. `size_bytes` is None if unknown or shared.
    """

    state: Literal["ok", "warn"]
    message: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class NotSearched:
    """Something could not be searched; `reason` is one of the contract's codes."""

    reason: str


@dataclass(frozen=True, slots=True)
class CountingFailed:
    """A limit could not be checked because the store of the counters failed."""

    error: str


@dataclass(frozen=True, slots=True)
class SearchEnded:
    """A search ended. `outcome` is `success`, `partial`, `cancelled` or an error's class name."""

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
    | NotSearched
    | SearchEnded
)

Observer = Callable[[Event], None]
"""Receives every event, from any thread; must be quick and raise nothing."""
Handler = Callable[[Any], None]
"""An Observer of one class of events."""
Handlers = Mapping[type[Event], Handler]


def observer(*tables: Handlers) -> Observer:
    """An Observer that hands each event to the handlers of its class, in the tables' order.

    Several events come for each file, and few handlers want all of them.
    """
    found: dict[type[Event], list[Handler]] = {}
    for table in tables:
        for kind, handler in table.items():
            found.setdefault(kind, []).append(handler)

    def observe(event: Event) -> None:
        for handler in found.get(type(event), ()):
            handler(event)

    return observe


def ignore(event: Event) -> None:
    """Observe nothing."""
