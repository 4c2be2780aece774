"""The lists that GitHub has of gists and of members: their URLs and their parsers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from urllib.parse import quote, urlencode

from gistapi.errors import GistapiError, UnauthorizedError, UserNotFoundError
from gistapi.github.entries import Entries, parse_gists, parse_members, parse_single
from gistapi.github.paging import Numbers
from gistapi.models import Target

NOT_SENT = "Your own and your starred gists need your GitHub token. Send it in X-GitHub-Token."
NO_SCOPE = (
    "GitHub lists no gists for the token in X-GitHub-Token. A classic token needs the scope `gist`."
)


@dataclass(frozen=True, slots=True)
class Source:
    """One list: its URL without a query, and the parser of a page's body.

    `unknown` returns the error for a list that GitHub does not have. `shows_updates`: with the
    parameter `since`, the list shows all gists that were added or edited. `is_single`: the URL is
    that of one gist, which is sent with its contents.
    """

    url: str
    parse: Callable[[bytes], Entries]
    unknown: Callable[[], GistapiError]
    shows_updates: bool = False
    is_single: bool = False

    def first(self, numbers: Numbers | None) -> str:
        """Return the URL of the first page."""
        return self.url if numbers is None else f"{self.url}?per_page={numbers.per_page}"

    def since(self, numbers: Numbers, moment: float) -> str:
        """Return the URL of what was updated after a moment (epoch seconds, GitHub's clock)."""
        since = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = urlencode({"per_page": numbers.per_page, "since": since}, safe=":")
        return f"{self.url}?{query}"

    def key(self, caller_token: str | None) -> str:
        """Return the cache key of the first page, which differs for each caller's token."""
        return self.url.lower() + suffix(caller_token)


def source_of(api_url: str, target: Target, caller_token: str | None) -> Source:
    """Return the list of a target's gists, or of an organization's members.

    Raises UnauthorizedError for the caller's own lists without the caller's token: with the
    service's token they would be another user's, and without a token GitHub lists everybody's.
    """
    name = quote(target.name, safe="")
    match target.kind:
        case "username":
            return Source(
                f"{api_url}/users/{name}/gists",
                partial(parse_gists, owner=target.name),
                partial(UserNotFoundError, "GitHub knows no such user."),
                shows_updates=True,
            )
        case "organization":
            return Source(
                f"{api_url}/orgs/{name}/members",
                parse_members,
                partial(UserNotFoundError, "GitHub knows no such organization."),
            )
        case "gist":
            return Source(
                f"{api_url}/gists/{name}",
                partial(parse_single, gist_id=target.name),
                partial(UserNotFoundError, "GitHub knows no such gist."),
                is_single=True,
            )
    if caller_token is None:
        raise UnauthorizedError(NOT_SENT)
    path, updates = ("gists", True) if target.kind == "mine" else ("gists/starred", False)
    return Source(
        f"{api_url}/{path}",
        partial(parse_gists, secret=True),
        partial(UnauthorizedError, NO_SCOPE),
        shows_updates=updates,
    )


def suffix(caller_token: str | None) -> str:
    """Return the end of the keys of a caller's pages: a digest, which does not reveal the token."""
    if caller_token is None:
        return ""
    return "#" + hashlib.sha256(b"gistapi listing\0" + caller_token.encode()).hexdigest()
