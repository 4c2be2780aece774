"""The shared store: Redis or Valkey, which evicts by its own policy."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from redis import Redis
from redis import exceptions as errors
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.retry import Retry

from gistapi.cache.breaker import Breaker
from gistapi.cache.contract import StoreError
from gistapi.errors import SettingsError

SCHEMA_VERSION = 1
"""Incremented with every change in the meaning of the keys or their values."""

PREFIX = f"gistapi:{SCHEMA_VERSION}:"
EXPIRY_SECONDS = 30 * 24 * 3600
CONNECT_SECONDS = 0.25
READ_SECONDS = 1.0

_RECEIVED_BYTES = 2**18
"""Read from the socket at once: the interpreter lock is released for each read."""

_REFRESHED_SHARE = 1 / 32
"""This share of the entries read gets a new expiry: cheap, and enough for frequent reads."""

_MAX_BYTES = 2**29  # what Redis takes as one value

# The first that is an instance decides.
_CAUSES: tuple[tuple[type[Exception], str], ...] = (
    (errors.AuthenticationError, "Redis refuses the user or password"),
    (errors.NoPermissionError, "Redis does not permit this to the user"),
    (errors.BusyLoadingError, "Redis is still loading its data"),
    (errors.TimeoutError, "Redis does not answer in time"),
    (errors.ConnectionError, "no connection to Redis"),
    (errors.OutOfMemoryError, "Redis is full and its policy makes no room"),
    (errors.ReadOnlyError, "Redis is a read-only replica"),
    (errors.ResponseError, "Redis refuses the command"),
    (OSError, "no connection to Redis"),
    (Exception, "Redis answers what it should not"),
)
_UNREACHABLE = (errors.ConnectionError, errors.TimeoutError, OSError)


class RedisServer:
    """One Redis or Valkey server for all its users: one pool of connections, one pair of breakers.

    Opens nothing before its first use. Raises SettingsError for a URL that redis-py cannot read;
    the message does not show it.
    """

    prefix = PREFIX
    """For the names of its keys."""

    def __init__(self, url: str) -> None:
        self.pool = _pool(url)
        self.client = Redis.from_pool(self.pool)
        self.reading, self.writing = Breaker("reading"), Breaker("writing")

    @contextmanager
    def asked(self, breaker: Breaker) -> Iterator[None]:
        """Run one exchange; the breakers learn how it ended. Raises StoreError for any failure."""
        try:
            yield
        except Exception as error:  # a server of another kind can make redis-py raise anything
            cause = [words for kind, words in _CAUSES if isinstance(error, kind)][0]  # noqa: RUF015
            breaker.failed(cause)
            if isinstance(error, _UNREACHABLE):
                self.reading.failed(cause)
                self.writing.failed(cause)
            raise StoreError(cause, f"{type(error).__name__}: {error}") from error
        breaker.worked()

    def close(self) -> None:
        """Close the connections. Idempotent."""
        self.pool.disconnect()


class RedisStore:
    """A Store on one Redis or Valkey server."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self.reading, self.writing = server.reading, server.writing
        self.max_content_bytes = _MAX_BYTES

    def read(self, keys: Sequence[str]) -> tuple[list[tuple[str, bytes]], list[str]]:
        """Return the stored entries, and a sample of them to refresh; see Store."""
        with self._server.asked(self.reading):
            values: object = self._server.client.mget([PREFIX + key for key in keys])
            if not isinstance(values, list) or len(values) != len(keys):
                raise TypeError("MGET: not a list of as many values")
            if any(not isinstance(value, bytes | None) for value in values):
                raise TypeError("MGET: a value is not bytes")
        found = [(key, value) for key, value in zip(keys, values, strict=True) if value is not None]
        used = [key for key, _ in found if random.random() < _REFRESHED_SHARE]  # noqa: S311
        return found, used

    def write(self, entries: Sequence[tuple[str, bytes | None]], used: Sequence[str]) -> None:
        """Set or delete the entries, and set the expiry of those used; see Store."""
        with self._server.asked(self.writing):
            pipeline = self._server.client.pipeline(transaction=False)
            for key, value in entries:
                if value is None:
                    pipeline.delete(PREFIX + key)
                else:
                    pipeline.set(PREFIX + key, value, ex=EXPIRY_SECONDS)
            for key in used:
                pipeline.expire(PREFIX + key, EXPIRY_SECONDS)
            pipeline.execute()

    def size_bytes(self) -> int | None:
        """Return None: the server may have other data too."""
        return None

    def close(self) -> None:
        """Close the connections."""
        self._server.close()


def _pool(url: str) -> ConnectionPool:
    # A connection that the server has dropped is noticed only in use, and retried once; a server
    # that is slow is not. RESP 2 limits the handshake to what every server supports.
    retry = Retry(NoBackoff(), 1, supported_errors=(errors.ConnectionError,))
    try:
        pool: ConnectionPool = ConnectionPool.from_url(
            url,
            protocol=2,
            retry=retry,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=READ_SECONDS,
            socket_read_size=_RECEIVED_BYTES,
        )
        pool.connection_class(**pool.connection_kwargs)  # reads the options; connects later
    except (ValueError, TypeError, errors.RedisError):
        raise SettingsError("the cache's URL is none that redis-py can read") from None
    if url.startswith("unix:") and not pool.connection_kwargs.get("path"):
        raise SettingsError("the cache's URL names no socket")
    return pool
