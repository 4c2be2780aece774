"""Decides which addresses requests may be sent to: GitHub's answers name them."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urljoin

from gistapi.errors import IncompleteError
from gistapi.events import RequestKind
from gistapi.setting_values import Origin, origin_of

__all__ = ["API_KINDS", "Kind", "Origin", "UrlPolicy", "origin_of", "redirected"]

Kind = RequestKind
API_KINDS = frozenset({"list", "gist", "graphql"})
"""Requests that go to the API's origin, with the token."""


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
        self._lately = lru_cache(maxsize=256)(self._allowed)  # each file's address is checked twice

    def allowed(self, url: str, kind: Kind) -> Origin:
        """The origin to send a request for `url` to; raises IncompleteError `host_not_allowed`."""
        return self._lately(url, kind)

    def _allowed(self, url: str, kind: Kind) -> Origin:
        origin = origin_of(url)
        if origin is None:
            raise IncompleteError(
                "host_not_allowed", "GitHub named an address that is no HTTP URL."
            )
        if kind in API_KINDS:
            allowed = origin == self._api
        else:
            secure = origin.scheme == "https" or self._api.scheme == "http"
            names = {origin.netloc, f"{origin.host}:{origin.port}"}
            allowed = secure and not names.isdisjoint(self._content_hosts)
        if not allowed:
            raise IncompleteError(
                "host_not_allowed", f"GitHub named {origin.url}, which is not allowed."
            )
        return origin


def redirected(url: str, location: str) -> str:
    """Where `Location` leads from `url`; raises IncompleteError when that is from https to http."""
    try:
        target = urljoin(url, location)
    except ValueError:
        target = location  # no valid address, which `allowed` refuses
    if url[:6].lower() == "https:" and target[:6].lower() != "https:":
        raise IncompleteError("host_not_allowed", "A redirect led from https to http.")
    return target
