"""Keeps contents, by git blob SHA-1, and listings between requests (docs/decisions/cache.md).

Offers `open_cache` and `redis_server`. May import `errors`, `events` and `setting_values`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gistapi.cache.contract import Cache, Store
from gistapi.cache.memory import MemoryStore
from gistapi.cache.resilient import ResilientCache
from gistapi.cache.sqlite import SqliteStore
from gistapi.errors import SettingsError
from gistapi.events import Observer, ignore
from gistapi.setting_values import REDIS, SQLITE, sqlite_path

if TYPE_CHECKING:
    from gistapi.cache.redis import RedisServer

__all__ = ["Cache", "open_cache", "redis_server"]

MAX_FILE_BYTES = 100 * 2**20
"""GitHub accepts no larger files."""


def open_cache(
    url: str,
    *,
    server: RedisServer | None = None,
    max_bytes: int = 2**30,
    max_file_bytes: int = MAX_FILE_BYTES,
    hot_bytes: int = 0,
    observe: Observer = ignore,
) -> Cache:
    """Return the cache that `url` names. It opens no file, socket or thread before its first use.

    `sqlite:///relative/path`, `sqlite:////absolute/path`, `redis://`, `rediss://`, `unix://` (as
    redis-py reads them; `server` is the result of `redis_server`), `memory:` or `off`.
    `max_bytes` bounds the size of the embedded stores, `max_file_bytes` one file, `hot_bytes` the
    contents kept in memory in front of a store.

    Raises SettingsError for another URL, which the message does not show, and for a path at which
    there is a file that gistapi did not create.
    """
    return ResilientCache(
        _store(url, server, max_bytes, observe),
        observe,
        hot_bytes=hot_bytes,
        max_file_bytes=max_file_bytes,
    )


def redis_server(url: str) -> RedisServer | None:
    """Return the Redis server of a cache's URL, which all its users share; None for other URLs."""
    if not url.startswith(REDIS):
        return None
    from gistapi.cache.redis import RedisServer  # noqa: PLC0415 - redis-py is slow to load

    return RedisServer(url)


def _store(url: str, server: RedisServer | None, max_bytes: int, observe: Observer) -> Store:
    if url in {"off", "memory:"}:
        return MemoryStore(0 if url == "off" else max_bytes)
    if server := server or redis_server(url):
        from gistapi.cache.redis import RedisStore  # noqa: PLC0415 - as above

        return RedisStore(server)
    if path := sqlite_path(url):
        return SqliteStore(path, max_bytes, observe)
    raise SettingsError(
        f"the cache's URL is none of {SQLITE}path, {', '.join(REDIS)}, memory:, off"
    )
