"""A client for programs: searches gists through a running gistapi service.

>>> from gistapi.client import search
>>> for match in search("http://127.0.0.1:9876", username="octocat", pattern="TODO"):
...     print(match.gist, match.files[0].matches[0].text)

It continues after a deadline of the service, so all matches are returned.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Unpack

from gistapi.client.answers import (
    Begin,
    ClientError,
    End,
    FileMatches,
    LineMatch,
    Match,
    TargetOutcome,
)
from gistapi.client.fields import Fields
from gistapi.client.following import follow
from gistapi.models import Incomplete, Progress, Searched

if TYPE_CHECKING:
    from gistapi.client.service import RemoteService

__all__ = [
    "Begin",
    "ClientError",
    "End",
    "Fields",
    "FileMatches",
    "Incomplete",
    "LineMatch",
    "Match",
    "Progress",
    "RemoteService",
    "Search",
    "Searched",
    "TargetOutcome",
    "follow",
    "search",
]


class Search:
    """The matches of one search, in the order in which the service finds them.

    Iterate once. `incomplete` and `targets` grow meanwhile; `end` is set when the search has
    ended, and `end.status` is `partial` if something could not be searched.
    """

    def __init__(self, service: RemoteService, fields: Fields) -> None:
        self.incomplete: list[Incomplete] = []
        self.targets: list[TargetOutcome] = []
        self.end: End | None = None
        self._matches = self._run(service, fields)

    def __iter__(self) -> Iterator[Match]:
        return self._matches

    def __next__(self) -> Match:
        return next(self._matches)

    def close(self) -> None:
        """Stop the search."""
        self._matches.close()

    def _run(self, service: RemoteService, fields: Fields) -> Generator[Match]:
        with service, closing(follow(service.asking(fields), fields.get("limit"))) as lines:
            for line in lines:
                match line.event:
                    case Match() as found:
                        yield found
                    case Incomplete() as missing:
                        self.incomplete.append(missing)
                    case TargetOutcome() as target:
                        self.targets.append(target)
                    case End() as end:
                        self.end = end


def search(
    server: str,
    *,
    key: str | None = None,
    github_token: str | None = None,
    **fields: Unpack[Fields],
) -> Search:
    """Search gists through the service at `server`, such as `http://127.0.0.1:9876`.

    `fields` are those of the request (docs/api.md): `pattern`, and at least one of `username`,
    `usernames`, `organization`, `gists`, `mine` and `starred`. `key` is a key of the service;
    `github_token` is sent as X-GitHub-Token, which the service must allow.

    Iterating raises ClientError when the service refuses, fails or cannot be reached.
    """
    from gistapi.client.service import RemoteService  # noqa: PLC0415 - requests is slow to import

    return Search(RemoteService(server, key=key, github_token=github_token), fields)


def __getattr__(name: str) -> object:
    if name == "RemoteService":
        from gistapi.client.service import RemoteService  # noqa: PLC0415 - see `search`

        return RemoteService
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
