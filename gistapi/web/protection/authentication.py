"""Keys: who a request says it comes from, and whether that is true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from flask import request
from werkzeug.exceptions import NotFound

from gistapi.errors import UnauthorizedError

MetricsAccess = Literal["open", "key", "off"]


class Key(Protocol):
    """What is known of a key (`gistapi.quota.keys.Key`)."""

    @property
    def name(self) -> str:
        """Whose it is."""
        ...

    @property
    def sha256(self) -> str:
        """What tells it from every other, one of the same name that was revoked too."""
        ...


class Keys(Protocol):
    """Where keys are looked up (`gistapi.quota.keys.KeyFile`). Both raise KeyFileError."""

    def exists(self) -> bool:
        """Whether there are keys at all."""
        ...

    def find(self, secret: str) -> Key | None:
        """The key that this is, None when it is none."""
        ...


class Authentication:
    """Tells whose key came. `optional`: who sends none is somebody without a key, and let in."""

    def __init__(self, keys: Keys, *, optional: bool = False) -> None:
        self._keys = keys
        self._optional = optional

    def key(self) -> Key | None:
        """The key of this request; None for somebody who needs none.

        Raises UnauthorizedError; KeyFileError when the keys can't be read.
        """
        secret = _sent()
        if secret is None and self._optional:
            return None
        if not self._keys.exists():
            return None
        return self.required()

    def required(self) -> Key:
        """The key of this request, which has to have one; raises as `key` does."""
        secret = _sent()
        if secret is None:
            raise UnauthorizedError("A key is required: `Authorization: Bearer KEY`.")
        key = self._keys.find(secret)
        if key is None:
            raise UnauthorizedError("The key is not valid.")
        return key


def metrics_gate(access: MetricsAccess, authentication: Authentication) -> Callable[[], None]:
    """What a request for /metrics has to pass: nothing, a key, or nobody does."""

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
