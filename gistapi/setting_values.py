"""How values from outside are read: lists, hosts, networks, origins and URLs.

The settings' check and the code that uses a value read it by the same function, so that what
passes the check cannot fail later. Each returns the value, or raises ValueError.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, IPv6Network, ip_network
from typing import NamedTuple

_IPV4_MAPPED = IPv6Network("::ffff:0:0/96")
URL = re.compile(
    r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
    r"(?:[/?][^\\\s\x00-\x1f\x7f\ud800-\udfff]*)?",
    re.IGNORECASE | re.ASCII,
)
"""No user part, no backslash, no space: nothing that two readers of URLs understand differently."""
DEFAULT_PORTS = {"http": "80", "https": "443"}
MAX_PORT = 65535


def listed(value: object) -> object:
    """The words of a list with commas, in lower case."""
    if not isinstance(value, str):
        return value
    return tuple(word.strip().lower() for word in value.split(",") if word.strip())


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


def origin_of(url: str) -> Origin | None:
    """Where a plain HTTP URL leads; None for anything else."""
    found = URL.fullmatch(url)
    if found is None:
        return None
    scheme = found[1].lower()
    host, port = found[2].lower(), found[3] or DEFAULT_PORTS[scheme]
    if not 1 <= int(port) <= MAX_PORT or (host[0] == "[" and not _is_ipv6(host[1:-1])):
        return None
    return Origin(scheme, host, port)


def _is_ipv6(value: str) -> bool:
    try:
        IPv6Address(value)
    except ValueError:
        return False
    return True


def api_url(value: str) -> str:
    """The API's URL, without a trailing slash."""
    if origin_of(value) is None:
        raise ValueError("should be a URL that begins with https:// or http://")
    if "?" in value or "#" in value:
        raise ValueError("should have no user, query or fragment")
    return value.rstrip("/")


def host(value: str) -> str:
    """A host, or host:port."""
    if "/" in value or "?" in value or origin_of(f"https://{value}") is None:
        raise ValueError(f"{value!r} is not a host or host:port")
    return value


def network(value: str) -> str:
    """An address, or a network in CIDR notation."""
    try:
        found = ip_network(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no address or network: {error}") from None
    if isinstance(found, IPv6Network) and found.subnet_of(_IPV4_MAPPED):
        raise ValueError(f"{value!r} has to be written as an IPv4 address or network")
    return str(found)


def origin(value: str) -> str:
    """The origin of a page: scheme, host and port, no wildcard."""
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", value):
        raise ValueError(f"{value!r} is not an origin such as https://example.com")
    return value
