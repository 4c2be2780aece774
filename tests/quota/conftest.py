"""The servers that the cache's tests use: counters and nonces live in the same Redis."""

from tests.cache.conftest import events, own_server, shared_server

__all__ = ["events", "own_server", "shared_server"]
