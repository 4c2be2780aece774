"""Who may ask: what a request to `/api` has to pass before its content is looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flask import Flask, g, request
from structlog.contextvars import bind_contextvars

from gistapi.web.operations import PROBES
from gistapi.web.protection.authentication import Authentication
from gistapi.web.protection.captcha import Captcha
from gistapi.web.protection.client_ip import ClientAddresses
from gistapi.web.protection.rate_limits import RateLimits, caller_of


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: his address, empty if it can't be known, and the name of his key, if he has one."""

    address: str
    key: str | None = None


class Guard:
    """Lets a request in or raises one of the kinds of RefusedError, in the contract's order.

    Each part that is None is off.
    """

    def __init__(
        self,
        *,
        addresses: ClientAddresses | None = None,
        keys: Authentication | None = None,
        captcha: Captcha | None = None,
        limits: RateLimits | None = None,
    ) -> None:
        self._addresses = addresses or ClientAddresses()
        self._keys = keys
        self.captcha = captcha
        self._limits = limits

    def init_app(self, app: Flask) -> None:
        """Let the lists of addresses hold for everything but the probes; a search is admitted."""

        @app.before_request
        def _check() -> None:
            admitted = request.endpoint == "gistapi.search" and request.method == "POST"
            if not admitted and request.path not in PROBES:
                self._addresses.admit()

    @property
    def address(self) -> str:
        """Whom a request comes from, before it is let in; empty if it can't be known."""
        return str(self._addresses.caller() or "")

    def admit(self) -> None:
        """Find out who asks, and whether he may."""
        g.caller = Caller(self.address)
        self._addresses.admit()
        key = None if self._keys is None else self._keys.key()
        if key is not None:
            g.caller = replace(g.caller, key=key.name)
            bind_contextvars(key=key.name)  # on every line of this request
        elif self.captcha is not None:
            self.captcha.check()
        if self._limits is not None:
            caller = caller_of(g.caller.address, None if key is None else key.sha256)
            self._limits.admit(caller, with_key=key is not None)
