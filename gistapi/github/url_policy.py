"""Decides to which URLs requests may be sent. Most of the URLs come from GitHub's answers."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urljoin

from gistapi.errors import IncompleteError
from gistapi.events import RequestKind
from gistapi.setting_values import Origin, origin_of

__all__ = ["API_KINDS", "Kind", "Origin", "UrlPolicy", "origin_of", "redirected"]

Kind = RequestKind
API_KINDS = frozenset({"list", "gist", "graphql"})
"""Requests that are sent to the API's origin, with the token."""


class UrlPolicy:
    """Allows requests to the API's origin, and for contents to `content_hosts`.

    A content host is `host`, for the default port of its scheme, or `host:port`. Raises ValueError
    if `api_url` is not a plain HTTP URL.
    """

    def __init__(self, api_url: str, content_hosts: tuple[str, ...]) -> None:
        api = origin_of(api_url)
        if api is None:
            raise ValueError("the API's address is not a plain HTTP URL")
        self._api = api
        self._content_hosts = frozenset(host.lower() for host in content_hosts)
        self._cached = lru_cache(maxsize=256)(self._allowed)  # each file's URL is checked twice

    def allowed(self, url: str, kind: Kind) -> Origin:
        """Return the origin of an allowed URL; raises IncompleteError `host_not_allowed`."""
        return self._cached(url, kind)

    def _allowed(self, url: str, kind: Kind) -> Origin:
        origin = origin_of(url)
        if origin is None:
            raise IncompleteError(
                "host_not_allowed", "GitHub named an address that is not an HTTP URL."
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
    """Return the target of a redirect; raises IncompleteError if it leads from https to http."""
    try:
        target = urljoin(url, location)
    except ValueError:
        target = location  # not a valid URL, which `allowed` refuses
    if url[:6].lower() == "https:" and target[:6].lower() != "https:":
        raise IncompleteError("host_not_allowed", "A redirect led from https to http.")
    return target
