"""The shared store: Redis or Valkey, which forgets by its own policy."""

from __future__ import annotations

import random
from collections.abc import Sequence

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from gistapi.cache.contract import StoreError
from gistapi.errors import SettingsError

SCHEMA_VERSION = 1
"""Counts up with every change of what the keys or the bytes behind them mean."""

EXPIRY_SECONDS = 30 * 24 * 3600
CONNECT_SECONDS = 0.25
READ_SECONDS = 1.0

_PREFIX = f"gistapi:{SCHEMA_VERSION}:"
_RECEIVED_BYTES = 2**18
"""Asked of the socket at once: the interpreter lock is freed for each."""

_REFRESHED_SHARE = 1 / 32
"""Of the entries read so many get a new expiry: enough for what is read often, and cheap."""


class RedisStore:
    """A Store on one Redis or Valkey server, addressed as redis-py does.

    Raises SettingsError for a URL that redis-py can't read.
    """

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_pool(connection_pool(url, READ_SECONDS))

    def read(self, keys: Sequence[str]) -> tuple[list[tuple[str, bytes]], list[str]]:
        """The entries that are there, and a sample of them to refresh; see Store."""
        try:
            values: list[bytes | None] = self._redis.mget([_PREFIX + key for key in keys])  # type: ignore[assignment]
        except (RedisError, OSError) as error:
            raise StoreError(f"{type(error).__name__}: {error}") from error
        found = [(key, value) for key, value in zip(keys, values, strict=True) if value is not None]
        used = [key for key, _ in found if random.random() < _REFRESHED_SHARE]  # noqa: S311
        return found, used

    def write(self, entries: Sequence[tuple[str, bytes]], used: Sequence[str]) -> None:
        """Set the entries, and the expiry of those used; see Store."""
        pipeline = self._redis.pipeline(transaction=False)
        for key, value in entries:
            pipeline.set(_PREFIX + key, value, ex=EXPIRY_SECONDS)
        for key in used:
            pipeline.expire(_PREFIX + key, EXPIRY_SECONDS)
        try:
            pipeline.execute()
        except (RedisError, OSError) as error:
            raise StoreError(f"{type(error).__name__}: {error}") from error

    def size_bytes(self) -> int | None:
        """None: the server may hold others' data too."""
        return None

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


def connection_pool(url: str, read_seconds: float) -> ConnectionPool:
    """Connections to the server, none open yet; raises SettingsError for a URL of another kind."""
    # A connection the server has dropped since is noticed only in use: that gets one more try, a
    # server that is slow gets none. RESP 2 keeps the handshake to what every server knows.
    retry = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
    try:
        connections: ConnectionPool = ConnectionPool.from_url(
            url,
            protocol=2,
            retry=retry,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=read_seconds,
            socket_read_size=_RECEIVED_BYTES,
        )
        connections.connection_class(
            **connections.connection_kwargs
        )  # reads the options; connects later
    except (ValueError, TypeError, RedisError):
        raise SettingsError("the cache's URL is none that redis-py can read") from None
    if url.startswith("unix:") and not connections.connection_kwargs.get("path"):
        raise SettingsError("the cache's URL names no socket")
    return connections
