"""Which lists of GitHub's there are, and how each is asked for and read."""

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
    """One list: its address without a query, and how the body of a page is read.

    `shows_updates`: asked for what was updated `since`, it shows all that was added or edited.
    `unknown` makes the error of a list that GitHub does not know. `is_single`: the one gist at the
    address, which comes with its contents.
    """

    url: str
    parse: Callable[[bytes], Entries]
    unknown: Callable[[], GistapiError]
    shows_updates: bool = False
    is_single: bool = False

    def first(self, numbers: Numbers | None) -> str:
        """The address of the first page."""
        return self.url if numbers is None else f"{self.url}?per_page={numbers.per_page}"

    def since(self, numbers: Numbers, moment: float) -> str:
        """The address of what was updated after a moment (epoch seconds, GitHub's clock)."""
        since = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = urlencode({"per_page": numbers.per_page, "since": since}, safe=":")
        return f"{self.url}?{query}"

    def key(self, caller_token: str | None) -> str:
        """The key of its first page in the cache; with a caller's token it is that caller's own."""
        return self.url.lower() + suffix(caller_token)


def source_of(api_url: str, target: Target, caller_token: str | None) -> Source:
    """The list that holds a target's gists, or an organization's members.

    Raises UnauthorizedError for the caller's own lists without the caller's token: with another
    token they would be another user's, and without one GitHub lists everybody's gists.
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
    """What keeps a caller's pages apart in the store: a digest that does not show the token."""
    if caller_token is None:
        return ""
    return "#" + hashlib.sha256(b"gistapi listing\0" + caller_token.encode()).hexdigest()
