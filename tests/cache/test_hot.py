"""The hot cache: contents read recently stay in memory for a while."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from gistapi.cache.hot import REFRESH_SECONDS
from gistapi.cache.memory import MemoryStore
from gistapi.cache.resilient import ResilientCache
from gistapi.events import CacheRead
from tests.cache.conftest import Clock, Events, blob_of

CONTENTS = [b"%d" % number * 1000 for number in range(10, 30)]
BLOBS = [blob_of(content) for content in CONTENTS]


class RecordingStore(MemoryStore):
    """A store that records the keys it is asked for."""

    def __init__(self) -> None:
        super().__init__(2**20)
        self.asked: list[str] = []

    def read(self, keys: Sequence[str]) -> tuple[list[tuple[str, bytes]], list[str]]:
        self.asked += [key.removeprefix("blob:") for key in keys]
        return super().read(keys)


@pytest.fixture
def store() -> RecordingStore:
    """Return a store that holds all contents."""
    store = RecordingStore()
    store.write(
        [(f"blob:{blob}", content) for blob, content in zip(BLOBS, CONTENTS, strict=True)], []
    )
    return store


@pytest.fixture
def clock() -> Clock:
    """Return a stopped clock."""
    return Clock()


@pytest.fixture
def cache(store: RecordingStore, clock: Clock, events: Events) -> Iterator[ResilientCache]:
    """Yield a cache that keeps up to 10 kB in memory."""
    cache = ResilientCache(store, events.append, hot_bytes=10_000, clock=clock)
    yield cache
    cache.close()


def read(cache: ResilientCache, *blobs: str) -> dict[str, bytes]:
    """Read contents of unknown size."""
    return dict(cache.get_contents(dict.fromkeys(blobs)))


def test_the_second_reading_requests_only_new_contents(
    cache: ResilientCache, store: RecordingStore, events: Events
) -> None:
    """Known contents come from memory, the rest from the store, and each hit counts once."""
    assert read(cache, *BLOBS[:3]) == dict(zip(BLOBS[:3], CONTENTS[:3], strict=True))
    assert read(cache, *BLOBS[1:4]) == dict(zip(BLOBS[1:4], CONTENTS[1:4], strict=True))
    assert store.asked == BLOBS[:4]
    assert events == [
        CacheRead("content", 3, 0),
        CacheRead("content", 2, 0),
        CacheRead("content", 1, 0),
    ]


def test_contents_in_memory_need_no_store(
    cache: ResilientCache, store: RecordingStore, clock: Clock
) -> None:
    """Only those read before are returned, and for as long as they may stay in memory."""
    read(cache, *BLOBS[:2])
    store.asked.clear()
    assert cache.contents_in_memory(BLOBS[:4]) == dict(zip(BLOBS[:2], CONTENTS[:2], strict=True))
    clock.seconds += REFRESH_SECONDS
    assert cache.contents_in_memory(BLOBS[:4]) == {}
    assert store.asked == []


def test_the_bound_is_kept(cache: ResilientCache, store: RecordingStore) -> None:
    """The contents read most recently stay."""
    read(cache, *BLOBS)
    store.asked.clear()
    read(cache, *reversed(BLOBS))
    assert store.asked == BLOBS[-5::-1]


def test_a_content_is_read_from_the_store_again_after_a_while(
    cache: ResilientCache, store: RecordingStore, clock: Clock
) -> None:
    """Then the store records the use, and a content that the store lost does not stay for ever."""
    for _ in range(2):
        read(cache, *BLOBS[:4])
        clock.seconds += REFRESH_SECONDS / 2
    assert store.asked == BLOBS[:4]
    clock.seconds += 1
    read(cache, *BLOBS[:4])
    assert store.asked == BLOBS[:4] * 2


def test_a_closed_cache_keeps_nothing(cache: ResilientCache, store: RecordingStore) -> None:
    """Even contents that were in memory are misses."""
    read(cache, *BLOBS[:4])
    cache.close()
    store.asked.clear()
    assert read(cache, *BLOBS[:4]) == {}
