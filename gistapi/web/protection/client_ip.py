"""The client's address, the network it belongs to, and whether it is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from flask import request

from gistapi.errors import ForbiddenError

Address = IPv4Address | IPv6Address

IPV6_PREFIX = 64
"""The smallest network of a subscriber, who can choose addresses from it (RFC 6177)."""

_BRACKETED = re.compile(r"\[([^]]*)\](?::[0-9]+)?")
_IPV4_WITH_PORT = re.compile(r"([0-9.]+):[0-9]+")


class ClientAddresses:
    """The lists of allowed and denied addresses, and the number of trusted proxies in front.

    `allowed` and `denied` are addresses and networks in CIDR notation. A denied address is
    refused even if it is allowed too; an empty `allowed` allows every address.
    """

    def __init__(
        self, allowed: Iterable[str] = (), denied: Iterable[str] = (), trusted_proxies: int = 0
    ) -> None:
        self._allowed = tuple(map(ip_network, allowed))
        self._denied = tuple(map(ip_network, denied))
        self._trusted_proxies = trusted_proxies

    def admit(self) -> str:
        """The client's address, empty if unknown. Raises ForbiddenError."""
        address = self.caller()
        if not self._may(address):
            raise ForbiddenError("This address may not use the service.")
        return "" if address is None else str(address)

    def caller(self) -> Address | None:
        """The peer of the outermost trusted proxy; None if unknown.

        Each proxy appends its peer to X-Forwarded-For; entries before those of trusted proxies are
        the client's own. With fewer entries than proxies the client is unknown: the peer is a
        proxy of ours and could be on the list of allowed addresses.
        """
        if not self._trusted_proxies:
            return address_of(request.remote_addr or "")
        hops = request.headers.get("X-Forwarded-For", "").split(",")
        if len(hops) < self._trusted_proxies:
            return None
        return address_of(hops[-self._trusted_proxies])

    def _may(self, address: Address | None) -> bool:
        if address is None:
            return not self._allowed
        if any(address in network for network in self._denied):
            return False
        return not self._allowed or any(address in network for network in self._allowed)


@lru_cache(1024)  # it is asked for several times for each request
def address_of(text: str) -> Address | None:
    """The address in `text`, which may have a port or a zone; None if there is none.

    An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) is returned as IPv4.
    """
    text = text.strip()
    found = _BRACKETED.fullmatch(text) or _IPV4_WITH_PORT.fullmatch(text)
    try:
        address = ip_address((found[1] if found else text).partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def network_of(address: str) -> str:
    """The network that limits count an address by: itself if it is IPv4, its /64 if it is IPv6.

    Text that is no address is returned as it is.
    """
    parsed = address_of(address)
    if parsed is None:
        return address
    if isinstance(parsed, IPv6Address):
        network = ip_network((int(parsed), IPV6_PREFIX), strict=False)
        return str(network)
    return str(parsed)
