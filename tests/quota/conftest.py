"""The fixtures of the cache's tests, and counters: counters and nonces live in the same Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gistapi.cache import redis_server
from gistapi.quota.counters import Counters
from tests.cache.conftest import events, own_server, shared_server

__all__ = ["counters", "events", "own_server", "shared_server"]


@pytest.fixture(params=["memory:", "valkey"])
def counters(request: pytest.FixtureRequest) -> Iterator[Counters]:
    """Yield counters of each kind in turn."""
    url = request.param
    if url == "valkey":
        url = f"redis://127.0.0.1:{request.getfixturevalue('valkey').port}"
    made = Counters(redis_server(url))
    yield made
    made.close()
