"""What outlives a request: contents by git blob SHA-1, and listings (docs/decisions/cache.md)."""

from __future__ import annotations

from pathlib import Path

from gistapi.cache.contract import Cache, Store
from gistapi.cache.hot import HotCache
from gistapi.cache.memory import MemoryCache
from gistapi.cache.redis import RedisStore
from gistapi.cache.resilient import ResilientCache
from gistapi.cache.sqlite import SqliteStore
from gistapi.errors import SettingsError
from gistapi.events import Observer, ignore

__all__ = ["Cache", "open_cache"]

_SQLITE = "sqlite:///"
_KNOWN = "sqlite:///path, redis://, rediss://, unix://, memory: and off"


def open_cache(
    url: str, *, max_bytes: int = 2**30, recent_bytes: int = 0, observe: Observer = ignore
) -> Cache:
    """The cache that `url` names; no file, socket or thread is opened before it is first used.

    `sqlite:///relative/path`, `sqlite:////absolute/path`, `redis://`, `rediss://`, `unix://` (as
    redis-py reads them), `memory:` or `off`. `max_bytes` bounds what the embedded ones keep,
    `recent_bytes` what is kept in memory besides of a store's contents.
    Raises SettingsError when the URL is none of these; its message never shows the URL.
    """
    if url == "off":
        return MemoryCache(0, observe)
    if url == "memory:":
        return MemoryCache(max_bytes, observe)
    if url.startswith(("redis://", "rediss://", "unix://")):
        return _over(RedisStore(url), recent_bytes, observe)
    if url.startswith(_SQLITE):
        path = Path(url.removeprefix(_SQLITE))
        if path.name and path.name != ":memory:" and "\0" not in url:
            return _over(SqliteStore(path, max_bytes, observe), recent_bytes, observe)
    raise SettingsError(f"the cache's URL has none of the known forms: {_KNOWN}")


def _over(store: Store, recent_bytes: int, observe: Observer) -> Cache:
    cache = ResilientCache(store, observe)
    return HotCache(cache, recent_bytes, observe) if recent_bytes else cache
