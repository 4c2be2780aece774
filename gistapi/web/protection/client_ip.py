"""Whose address a request comes from, and whether it may come from there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from flask import request

from gistapi.errors import ForbiddenError

Address = IPv4Address | IPv6Address

_BRACKETED = re.compile(r"\[([^]]*)\](?::[0-9]+)?")
_IPV4_WITH_PORT = re.compile(r"([0-9.]+):[0-9]+")


class ClientAddresses:
    """The lists of addresses, and the number of proxies in front that are believed.

    `allowed` and `denied` are addresses and networks in CIDR notation. Who is denied stays out,
    whatever else is said; where there is a list of the allowed, everybody else does.
    """

    def __init__(
        self, allowed: Iterable[str] = (), denied: Iterable[str] = (), trusted_proxies: int = 0
    ) -> None:
        self._allowed = tuple(map(ip_network, allowed))
        self._denied = tuple(map(ip_network, denied))
        self._trusted_proxies = trusted_proxies

    def admit(self) -> str:
        """The caller's address, empty if it can't be known; raises ForbiddenError."""
        address = self.caller()
        if not self._may(address):
            raise ForbiddenError("This address may not use the service.")
        return "" if address is None else str(address)

    def caller(self) -> Address | None:
        """Whom the outermost trusted proxy had as its peer.

        Each proxy adds its peer at the end of X-Forwarded-For; what stands before those that are
        trusted is the caller's own invention. With fewer entries than proxies nobody is known:
        the peer itself, a proxy of ours, could be on the list of the allowed.
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


def address_of(text: str) -> Address | None:
    """The address in `text`, which may have a port or a zone; None if there is none.

    An IPv4 address in IPv6's clothes (`::ffff:192.0.2.1`) is an IPv4 address.
    """
    text = text.strip()
    found = _BRACKETED.fullmatch(text) or _IPV4_WITH_PORT.fullmatch(text)
    try:
        address = ip_address((found[1] if found else text).partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
