"""What the values of some settings have to look like; each raises ValueError, or returns it."""

from __future__ import annotations

import re
from ipaddress import IPv6Network, ip_network

_IPV4_MAPPED = IPv6Network("::ffff:0:0/96")


def listed(value: object) -> object:
    """The words of a list with commas, in lower case."""
    if not isinstance(value, str):
        return value
    return tuple(word.strip().lower() for word in value.split(",") if word.strip())


def host(value: str) -> str:
    """A host, or host:port."""
    if not re.fullmatch(r"([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", value):
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
