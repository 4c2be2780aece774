"""The checks before a search's body is read."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Flask, g, request
from structlog.contextvars import bind_contextvars

from gistapi.errors import KeyFileError
from gistapi.web.operations.probes import PROBES
from gistapi.web.protection.authentication import Authentication
from gistapi.web.protection.captcha import Captcha
from gistapi.web.protection.client_ip import ClientAddresses
from gistapi.web.protection.rate_limits import RateLimits, caller_of

RECHECK_SECONDS = 1.0
"""How often a stream checks whether its key is still valid."""


class Guard:
    """Admits requests or raises one of the kinds of RefusedError, in the contract's order.

    A part that is None is off.
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

    @property
    def counts(self) -> bool:
        """Whether a search uses up a quota or needs a captcha."""
        return self.captcha is not None or (self._limits is not None and self._limits.counts)

    def has_keys(self) -> bool:
        """Whether a caller can have a key."""
        if self._keys is None:
            return False
        try:
            return self._keys.has_keys()
        except KeyFileError:
            return True  # but it can't be read

    def init_app(self, app: Flask) -> None:
        """Check the lists of addresses for every request but probes; searches call `admit`."""

        @app.before_request
        def _check() -> None:
            admitted = request.endpoint in SEARCHES and request.method != "OPTIONS"
            if not admitted and request.path not in PROBES:
                self._addresses.admit()

    def admit(self) -> Callable[[], None]:
        """Admit the search of this request.

        Returns a function for long answers to call now and then: it raises UnauthorizedError once
        the key of the request is revoked.
        """
        g.address = str(self._addresses.caller() or "")
        self._addresses.admit()
        keys = self._keys
        key = None if keys is None else keys.key()
        if key is not None:
            bind_contextvars(key=key.name)  # on every line of this request
        elif self.captcha is not None:
            self.captcha.check()
        g.caller = caller_of(g.address, None if key is None else key.sha256)
        if self._limits is not None:
            self._limits.admit(g.caller, with_key=key is not None)
        if keys is None or key is None:
            return _always
        return _now_and_then(lambda: keys.revalidate(key))


SEARCHES = {"gistapi.search", "gistapi.feed"}
"""The endpoints that call `Guard.admit`."""


def _always() -> None:
    """Do nothing: without a key there is nothing to check again."""


def _now_and_then(check: Callable[[], None]) -> Callable[[], None]:
    checked_at = time.monotonic()

    def recheck() -> None:
        nonlocal checked_at
        if time.monotonic() >= checked_at + RECHECK_SECONDS:
            checked_at = time.monotonic()
            check()

    return recheck
