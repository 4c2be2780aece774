"""Who may ask: what a request to `/api` has to pass before its content is looked at."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, g, request

from gistapi.web.addresses import Addresses
from gistapi.web.captcha import Captcha
from gistapi.web.ops import PROBES


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
        self, *, addresses: Addresses | None = None, captcha: Captcha | None = None
    ) -> None:
        self._addresses = addresses or Addresses()
        self.captcha = captcha

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
        caller = Caller(self._addresses.admit())
        if self.captcha is not None and caller.key is None:
            self.captcha.check()
        g.caller = caller
