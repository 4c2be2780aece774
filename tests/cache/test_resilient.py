"""A store that is slow, though it answers: what no real one does at will."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import pytest

from gistapi.cache import resilient
from gistapi.cache.resilient import ResilientCache
from tests.cache.conftest import Events, blob_of
from tests.waiting import until


class SlowStore:
    """A Store in a mapping that takes its time for each reading, by a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.entries: dict[str, bytes] = {}
        self.delay_seconds = 0.0
        self.reads: list[tuple[str, int]] = []

    def read(self, keys: Sequence[str]) -> tuple[list[tuple[str, bytes]], list[str]]:
        self.reads.append((threading.current_thread().name, len(keys)))
        self.now += self.delay_seconds
        return [(key, self.entries[key]) for key in keys if key in self.entries], []

    def write(self, entries: Sequence[tuple[str, bytes]], used: Sequence[str]) -> None:
        self.entries.update(entries)
        assert not used

    def size_bytes(self) -> int | None:
        return None

    def close(self) -> None:
        """Nothing to let go of."""


class NarrowStore(SlowStore):
    """It takes one reader at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._door = threading.Lock()

    def read(self, keys: Sequence[str]) -> tuple[list[tuple[str, bytes]], list[str]]:
        with self._door:
            time.sleep(0.02)
            return super().read(keys)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> SlowStore:
    """Give a store that is quick until told otherwise, and whose clock the cache goes by."""
    store = SlowStore()
    monkeypatch.setattr(resilient, "time", SimpleNamespace(monotonic=lambda: store.now))
    return store


@pytest.fixture
def cache(store: SlowStore, events: Events) -> Iterator[ResilientCache]:
    """Give a cache over it that knows 40 contents of 1 MiB."""
    cache = ResilientCache(store, events.append)
    for number in range(40):
        content = bytes([number]) * 2**20
        cache.put_content(blob_of(content), content)
        assert cache.flush(20)
    yield cache
    cache.close()


def wanted(number: int = 40) -> dict[str, int | None]:
    """Name the contents that are there, with their sizes."""
    return {blob_of(bytes([byte]) * 2**20): 2**20 for byte in range(number)}


@pytest.mark.usefixtures("soon")
def test_slow_batches_add_up(cache: ResilientCache, store: SlowStore, events: Events) -> None:
    """What was read late is used, the rest is left; the next try is made in the background."""
    store.delay_seconds = 0.6
    found = dict(cache.get_contents(wanted()))
    assert 0 < len(found) < 40
    assert events.failures()[0].error == "TimeoutError: the store is slow"
    assert cache.status().message == "reading fails: TimeoutError"
    store.delay_seconds = 0
    until(lambda: len(dict(cache.get_contents(wanted()))) == 40)
    assert ("gistapi-cache", 1) in store.reads
    assert cache.status().state == "ok"


@pytest.mark.usefixtures("soon")
def test_a_slow_try_is_a_failed_one(
    cache: ResilientCache, store: SlowStore, events: Events
) -> None:
    """A store that takes more than a second for one entry stays left alone; no search waits."""
    store.delay_seconds = 1.3
    assert len(dict(cache.get_contents(wanted(1)))) == 1
    until(lambda: not list(cache.get_contents(wanted(1))) and _probes(store) >= 2)
    assert [name for name, _ in store.reads if name != "gistapi-cache"] == ["MainThread"]
    assert "probe" in {failure.operation for failure in events.failures()}


def _probes(store: SlowStore) -> int:
    return sum(name == "gistapi-cache" for name, _ in store.reads)


def test_batches_are_cut_by_number_and_bytes(cache: ResilientCache, store: SlowStore) -> None:
    """Unknown sizes count for 256 KiB, known ones for what they are, and 500 are the most."""
    names = [blob_of(b"%d" % number) for number in range(1200)]
    assert not list(cache.get_contents(dict.fromkeys(names, 10)))
    assert not list(cache.get_contents(dict.fromkeys(names[:40])))
    assert not list(cache.get_contents(dict.fromkeys(names[:3], 10**9)))
    assert [count for _, count in store.reads] == [500, 500, 200, 16, 16, 8, 1, 1, 1]


def test_an_abandoned_reading_reads_no_more(cache: ResilientCache, store: SlowStore) -> None:
    """Who stops asking causes no further reading."""
    reading = cache.get_contents(wanted())
    next(reading)
    assert len(store.reads) == 1


def test_many_searches_at_once_do_not_take_the_store_for_slow(events: Events) -> None:
    """Where one reading stands in the way of another, only a few stand in line at the store.

    All together take twice the time that one may.
    """
    cache = ResilientCache(NarrowStore(), events.append)
    searches = [
        threading.Thread(target=lambda: list(cache.get_contents({"0" * 40: 1}))) for _ in range(96)
    ]
    for search in searches:
        search.start()
    for search in searches:
        search.join()
    assert events.failures() == []
    assert cache.status().state == "ok"
    cache.close()
