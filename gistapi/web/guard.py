"""Who may ask: what a request to `/api` has to pass before its content is looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flask import g, request
from structlog.contextvars import bind_contextvars

from gistapi.web.authentication import Authentication
from gistapi.web.limits import Limits, caller_of


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the address that the connection has, and the name of his key, if he has one."""

    address: str
    key: str | None = None


class Guard:
    """Lets a request in or raises one of the kinds of RefusedError, in the contract's order.

    What is None is off.
    """

    def __init__(self, *, keys: Authentication | None = None, limits: Limits | None = None) -> None:
        self._keys = keys
        self._limits = limits

    def admit(self) -> None:
        """Find out who asks, and whether he may."""
        g.caller = Caller(request.remote_addr or "")
        key = None if self._keys is None else self._keys.key()
        if key is not None:
            g.caller = replace(g.caller, key=key.name)
            bind_contextvars(key=key.name)  # on every line of this request
        if self._limits is not None:
            caller = caller_of(g.caller.address, None if key is None else key.sha256)
            self._limits.admit(caller, with_key=key is not None)
