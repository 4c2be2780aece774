"""What was read last is in memory: nobody asks the store for it again, for a while."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gistapi.cache import Cache, open_cache
from gistapi.cache.hot import REFRESH_SECONDS, HotCache
from gistapi.cache.memory import MemoryCache
from gistapi.events import CacheRead, ignore
from tests.cache.conftest import Events, blob_of

CONTENTS = [b"%d" % number * 1000 for number in range(10, 30)]
BLOBS = [blob_of(content) for content in CONTENTS]


class Asked(MemoryCache):
    """A cache that notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__(2**20, ignore)
        self.asked: list[str] = []

    def get_contents(self, blobs: Mapping[str, int | None]) -> Iterator[tuple[str, bytes]]:
        self.asked += blobs
        yield from super().get_contents(blobs)


class Clock:
    """Seconds that pass when told to."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def kept() -> Asked:
    """Give the cache behind, which has all contents."""
    kept = Asked()
    for blob, content in zip(BLOBS, CONTENTS, strict=True):
        kept.put_content(blob, content)
    return kept


def read(cache: Cache, *blobs: str) -> dict[str, bytes]:
    """Read contents of unknown size."""
    return dict(cache.get_contents(dict.fromkeys(blobs)))


def test_the_second_reading_asks_for_what_is_new(kept: Asked) -> None:
    """What was read comes from memory, the rest from behind, and each hit is counted once."""
    events = Events()
    cache = HotCache(kept, 2**20, events.append)
    assert read(cache, *BLOBS[:5]) == dict(zip(BLOBS[:5], CONTENTS[:5], strict=True))
    assert kept.asked == BLOBS[:5]
    assert read(cache, *BLOBS[3:8]) == dict(zip(BLOBS[3:8], CONTENTS[3:8], strict=True))
    assert kept.asked == BLOBS[:8]
    assert events == [CacheRead("content", 2, 0)]  # the cache behind counts its own


def test_no_more_is_kept_than_there_is_room_for(kept: Asked) -> None:
    """The contents read last stay."""
    cache = HotCache(kept, 10_000, ignore)
    read(cache, *BLOBS)
    kept.asked.clear()
    read(cache, *reversed(BLOBS))
    assert kept.asked == BLOBS[-5::-1]


def test_all_is_read_anew_now_and_then(kept: Asked) -> None:
    """So the store learns what is in use, and what it lost is not kept alive for ever."""
    clock = Clock()
    cache = HotCache(kept, 2**20, ignore, clock)
    for _ in range(3):
        read(cache, *BLOBS)
        clock.seconds += REFRESH_SECONDS / 2
    assert kept.asked == BLOBS
    clock.seconds += 1
    read(cache, *BLOBS)
    assert kept.asked == BLOBS * 2


def test_closed_it_keeps_nothing(kept: Asked) -> None:
    """Nor does it begin anew afterwards."""
    clock = Clock()
    cache = HotCache(kept, 2**20, ignore, clock)
    read(cache, *BLOBS)
    cache.close()
    clock.seconds = 2 * REFRESH_SECONDS
    assert read(cache, *BLOBS) == {}
    cache.close()


def test_what_the_store_has_damaged_is_not_kept(tmp_path: Path) -> None:
    """Only what proved itself on the way out of the store gets into memory."""
    events = Events()
    path = tmp_path / "cache.sqlite"
    first = open_cache(f"sqlite:///{path}")
    first.put_content(BLOBS[0], CONTENTS[0])
    assert first.flush(20)
    first.close()
    damaged = path.read_bytes().replace(CONTENTS[0][:100], b"x" * 100)
    path.write_bytes(damaged)
    cache = open_cache(f"sqlite:///{path}", recent_bytes=2**20, observe=events.append)
    for _ in range(2):
        assert read(cache, BLOBS[0]) == {}
    assert events.failures()
    cache.close()
