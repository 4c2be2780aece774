"""API keys: the one a request sends, and whether it is valid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from flask import request
from werkzeug.exceptions import NotFound

from gistapi.errors import UnauthorizedError
from gistapi.quota.keys import Key, KeyFile

MetricsAccess = Literal["open", "key", "off"]


class Authentication:
    """Checks the keys of requests. If `optional`, a request without a key is admitted too."""

    def __init__(self, keys: KeyFile, *, optional: bool = False) -> None:
        self._keys = keys
        self._optional = optional

    def key(self) -> Key | None:
        """The key of this request; None if it sends none and needs none.

        Raises UnauthorizedError, and KeyFileError if the keys cannot be read.
        """
        if (self._optional and _sent() is None) or not self.has_keys():
            return None
        return self.required()

    def has_keys(self) -> bool:
        """Whether this service has keys."""
        return self._keys.exists()

    def required(self) -> Key:
        """The key of this request, which must have one. Raises as `key` does."""
        secret = _sent()
        if secret is None:
            raise UnauthorizedError("An API key is required. Send `Authorization: Bearer KEY`.")
        key = self._keys.find(secret)
        if key is None:
            raise UnauthorizedError("The API key is not valid.")
        return key

    def revalidate(self, key: Key) -> None:
        """Raise UnauthorizedError if the key was revoked since `key` returned it."""
        if all(entry.sha256 != key.sha256 for entry in self._keys.entries()):
            raise UnauthorizedError("The API key has been revoked.")


def metrics_gate(access: MetricsAccess, authentication: Authentication) -> Callable[[], None]:
    """A check for requests to /metrics. It raises UnauthorizedError or NotFound."""

    def admit() -> None:
        if access == "off":
            raise NotFound
        if access == "key":
            authentication.required()

    return admit


def _sent() -> str | None:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return secret.strip()
    return request.headers.get("X-API-Key", "").strip() or None
