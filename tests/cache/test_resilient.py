"""How the resilient cache treats a store that is slow, unfair or broken, which a test simulates."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from gistapi.cache.breaker import Breaker
from gistapi.cache.resilient import ResilientCache
from gistapi.errors import CacheMissError
from tests.cache.conftest import Events, blob_of
from tests.waiting import until


class SlowStore:
    """A Store on a mapping: each reading takes `delay_seconds` on its own clock."""

    max_content_bytes = 2**30

    def __init__(self) -> None:
        self.reading, self.writing = Breaker("reading"), Breaker("writing")
        self.entries: dict[str, bytes | None] = {}
        self.seconds = 0.0
        self.delay_seconds = 0.0
        self.reads: list[tuple[str, int]] = []
        self.error: Exception | None = None

    def read(self, keys: Sequence[str]) -> tuple[list[tuple[str, bytes]], list[str]]:
        self.reads.append((threading.current_thread().name, len(keys)))
        self.seconds += self.delay_seconds
        found = [(key, value) for key in keys if (value := self.entries.get(key)) is not None]
        return found, []

    def write(self, entries: Sequence[tuple[str, bytes | None]], used: Sequence[str]) -> None:
        if self.error is not None:
            raise self.error
        self.entries.update(entries)
        assert not used

    def size_bytes(self) -> int | None:
        return None

    def close(self) -> None:
        """Release nothing."""


class NarrowStore(SlowStore):
    """A store with one reader at a time, which records how many wait."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0
        self._door = threading.Lock()
        self._waiting: list[int] = []

    def read(self, keys: Sequence[str]) -> tuple[list[tuple[str, bytes]], list[str]]:
        self._waiting.append(1)
        self.most = max(self.most, len(self._waiting))
        with self._door:
            found = super().read(keys)
        self._waiting.pop()
        return found


@pytest.fixture
def store() -> SlowStore:
    """Return a store that is fast until a test changes it."""
    return SlowStore()


@pytest.fixture
def cache(store: SlowStore, events: Events) -> Iterator[ResilientCache]:
    """Yield a cache over it, which holds 40 contents of 1 MiB."""
    cache = ResilientCache(store, events.append, max_file_bytes=2**30, clock=lambda: store.seconds)
    for number in range(40):
        content = bytes([number]) * 2**20
        cache.put_content(blob_of(content), content)
        assert cache.flush(20)
    yield cache
    cache.close()


def wanted(number: int = 40) -> dict[str, int | None]:
    """Name stored contents, with their sizes."""
    return {blob_of(bytes([byte]) * 2**20): 2**20 for byte in range(number)}


@pytest.mark.usefixtures("soon")
def test_the_time_of_slow_batches_adds_up(
    cache: ResilientCache, store: SlowStore, events: Events
) -> None:
    """What was read in time is used, the rest is dropped; the next probe is in the background."""
    store.delay_seconds = 0.6
    found = dict(cache.get_contents(wanted()))
    assert 0 < len(found) < 40
    assert events.failures()[0].error == "the store is slow"
    assert cache.status().message == "Reading fails: the store is slow."
    store.delay_seconds = 0
    until(lambda: len(dict(cache.get_contents(wanted()))) == 40)
    assert ("gistapi-cache", 1) in store.reads
    assert cache.status().state == "ok"


@pytest.mark.usefixtures("soon")
def test_a_slow_probe_is_a_failed_one(
    cache: ResilientCache, store: SlowStore, events: Events
) -> None:
    """A store that takes over a second for one entry stays unused, and no search waits for it."""
    store.delay_seconds = 1.3
    assert len(dict(cache.get_contents(wanted(1)))) == 1
    until(lambda: not list(cache.get_contents(wanted(1))) and _probes(store) >= 2)
    assert [name for name, _ in store.reads if name != "gistapi-cache"] == ["MainThread"]
    assert "probe" in {failure.operation for failure in events.failures()}


def _probes(store: SlowStore) -> int:
    return sum(name == "gistapi-cache" for name, _ in store.reads)


def test_batches_are_split_by_number_and_bytes(cache: ResilientCache, store: SlowStore) -> None:
    """A batch has at most 500 entries; an unknown size counts as 256 KiB."""
    names = [blob_of(b"%d" % number) for number in range(1200)]
    assert not list(cache.get_contents(dict.fromkeys(names, 10)))
    assert not list(cache.get_contents(dict.fromkeys(names[:40])))
    assert not list(cache.get_contents(dict.fromkeys(names[:3], 10**9)))
    assert [count for _, count in store.reads] == [500, 500, 200, 16, 16, 8, 1, 1, 1]


def test_an_abandoned_reading_reads_no_more(cache: ResilientCache, store: SlowStore) -> None:
    """A caller that stops iterating causes no further reads."""
    reading = cache.get_contents(wanted())
    next(reading)
    assert len(store.reads) == 1


def test_waiting_for_other_readers_does_not_count_as_slowness(events: Events) -> None:
    """At most four searches wait at the store, and only a reader's own time is measured."""
    store = NarrowStore()
    cache = ResilientCache(store, events.append)
    searches = [
        threading.Thread(target=lambda: list(cache.get_contents({"0" * 40: 1}))) for _ in range(24)
    ]
    for search in searches:
        search.start()
    for search in searches:
        search.join()
    assert store.most <= 4
    assert events.failures() == []
    assert cache.status().state == "ok"
    cache.close()


@pytest.mark.usefixtures("soon")
def test_the_writer_survives_any_error(
    cache: ResilientCache, store: SlowStore, events: Events
) -> None:
    """An unexpected error drops a batch and shows in the status; then writing continues."""
    store.error = ZeroDivisionError("a bug")
    cache.put_listing("octocat", b"lost")
    assert cache.flush(20)
    assert cache.status().message == "Writing fails: an unexpected error."
    assert [failure.operation for failure in events.failures()] == ["write"]
    store.error = None

    def written() -> bool:
        cache.put_listing("octocat", b"kept")
        assert cache.flush(20)
        return cache.get_listing("octocat") == b"kept" and cache.status().state == "ok"

    until(written)


@pytest.mark.usefixtures("soon")
def test_a_writer_that_cannot_start_is_started_later(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the limit of threads a write is dropped without an error; the next one starts it."""
    cache = ResilientCache(SlowStore(), events.append)
    start = threading.Thread.start

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    cache.put_listing("octocat", b"lost")
    assert cache.get_listing("octocat") is None
    assert cache.status().message == "Writing fails: no thread can be started."
    monkeypatch.setattr(threading.Thread, "start", start)

    def written() -> bool:
        cache.put_listing("octocat", b"kept")
        assert cache.flush(20)
        return cache.get_listing("octocat") == b"kept" and cache.status().state == "ok"

    until(written)
    cache.close()


@pytest.mark.parametrize("gone", ["a part", "the end", "damaged"])
def test_a_large_content_without_all_parts_is_a_miss(
    cache: ResilientCache, store: SlowStore, events: Events, gone: str
) -> None:
    """Parts are evicted separately: an incomplete content is never returned, and is removed."""
    content = bytes(range(256)) * 10_000
    blob = blob_of(content)
    with cache.store_content(blob, len(content)) as sink:
        sink.write(content)
    assert cache.flush(20)
    parts = sorted(key for key in store.entries if key.startswith("part:"))
    assert len(parts) == 5
    if gone == "damaged":
        store.entries[parts[1]] = bytes(2**19)
    else:
        del store.entries[parts[1 if gone == "a part" else -1]]
    found = cache.open_content(blob, len(content))
    assert found is not None
    with found as chunks, pytest.raises(CacheMissError):
        assert b"".join(chunks) != content
    assert [failure.operation for failure in events.failures()] == ["open_content"]
    assert cache.flush(20)
    assert cache.open_content(blob, len(content)) is None
