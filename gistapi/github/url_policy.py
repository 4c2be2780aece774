"""Which addresses may be asked: what an answer of GitHub names is not simply followed."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple
from urllib.parse import urljoin

from gistapi.errors import IncompleteError

Kind = Literal["list", "raw", "git"]

URL = re.compile(
    r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
    r"(?:[/?][^\\\s\x00-\x1f\x7f\ud800-\udfff]*)?",
    re.IGNORECASE | re.ASCII,
)
"""No user part, no backslash, no space: nothing that two readers of URLs understand differently."""
DEFAULT_PORTS = {"http": "80", "https": "443"}


class Origin(NamedTuple):
    """Where a URL leads (RFC 6454), in lower case; an IPv6 host stands in brackets."""

    scheme: str
    host: str
    port: str

    @property
    def netloc(self) -> str:
        """The host, with its port where that is not the scheme's own."""
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


class UrlPolicy:
    """The API's origin, for listings, and the hosts that contents may come from.

    `content_hosts` are `host`, which stands for its scheme's own port, or `host:port`. Raises
    ValueError when `api_url` is no plain http URL.
    """

    def __init__(self, api_url: str, content_hosts: tuple[str, ...]) -> None:
        api = origin_of(api_url)
        if api is None:
            raise ValueError("the API's address is no plain http URL")
        self._api = api
        self._content_hosts = frozenset(host.lower() for host in content_hosts)

    def allowed(self, url: str, kind: Kind) -> Origin:
        """Whom to ask for `url`; raises IncompleteError `host_not_allowed`."""
        origin = origin_of(url)
        if origin is None:
            raise IncompleteError(
                "host_not_allowed", "GitHub named an address that is no HTTP URL."
            )
        if kind == "list":
            allowed = origin == self._api
        else:
            secure = origin.scheme == "https" or self._api.scheme == "http"
            names = {origin.netloc, f"{origin.host}:{origin.port}"}
            allowed = secure and not names.isdisjoint(self._content_hosts)
        if not allowed:
            raise IncompleteError(
                "host_not_allowed", f"GitHub named {origin}, which is not allowed."
            )
        return origin


def origin_of(url: str) -> Origin | None:
    """Where a plain http URL leads; None for anything else."""
    found = URL.fullmatch(url)
    if found is None:
        return None
    scheme = found[1].lower()
    return Origin(scheme, found[2].lower(), found[3] or DEFAULT_PORTS[scheme])


def redirected(url: str, location: str) -> str:
    """Where `Location` leads from `url`; raises IncompleteError when that is from https to http."""
    try:
        target = urljoin(url, location)
    except ValueError:
        target = location  # nothing to be asked: `allowed` will say so
    if url[:6].lower() == "https:" and target[:6].lower() != "https:":
        raise IncompleteError("host_not_allowed", "A redirect led from https to http.")
    return target
