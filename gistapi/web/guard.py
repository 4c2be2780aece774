"""Who may ask: what a request to `/api` has to pass before its content is looked at."""

from __future__ import annotations

from dataclasses import dataclass

from flask import g, request


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the address that the connection has, and the name of his key, if he has one."""

    address: str
    key: str | None = None


class Guard:
    """Lets a request in or raises one of the kinds of RefusedError, in the contract's order."""

    def admit(self) -> None:
        """Find out who asks, and whether he may."""
        g.caller = Caller(request.remote_addr or "")
