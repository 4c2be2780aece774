"""The contract of every cache, on real stores."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from gistapi.cache import Cache, open_cache
from gistapi.errors import CacheMissError, SettingsError
from gistapi.events import CacheRead
from tests.cache.conftest import KINDS, Events, blob_of

EMPTY = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"  # the empty blob
STORED = tuple(kind for kind in KINDS if kind != "memory")
LARGEST = b"x" * 2**20


def put(cache: Cache, *contents: bytes) -> list[str]:
    """Put contents and wait until they are written; returns their names."""
    for content in contents:
        cache.put_content(blob_of(content), content)
    assert cache.flush(20)
    return [blob_of(content) for content in contents]


def get(cache: Cache, *blobs: str) -> dict[str, bytes]:
    """Read contents of unknown size; fails if one is returned twice."""
    found = list(cache.get_contents(dict.fromkeys(blobs)))
    assert len(found) == len(dict(found))
    return dict(found)


def test_contents_come_back(cache: Cache, events: Events) -> None:
    """Contents are returned byte for byte, unknown names are misses, and both are counted."""
    contents = [b"", b"text\n", bytes(range(256)) * 20, b"\0" * 5000, "\u2028ä".encode(), LARGEST]
    blobs = put(cache, *contents)
    assert blobs[0] == EMPTY
    missing = blob_of(b"never put")
    assert get(cache, missing, *blobs) == dict(zip(blobs, contents, strict=True))
    reads = [event for event in events if isinstance(event, CacheRead)]
    assert sum(read.hits for read in reads) == len(contents)
    assert sum(read.misses for read in reads) == 1
    assert events.failures() == []


def test_no_blobs_return_no_contents(cache: Cache) -> None:
    """A request for nothing is not an error."""
    assert get(cache) == {}


def test_many_come_back_in_bulk(cache: Cache) -> None:
    """Thousands of contents are returned, however they are split into batches."""
    contents = [b"%d" % number * (number % 700) for number in range(1, 3000)]
    blobs = put(cache, *contents)
    sizes: dict[str, int | None] = dict(zip(blobs, map(len, contents), strict=True))
    assert dict(cache.get_contents(sizes)) == dict(zip(blobs, contents, strict=True))
    assert dict(cache.get_contents(dict.fromkeys(sizes))) == dict(cache.get_contents(sizes))


@pytest.mark.parametrize("kind", STORED)
def test_large_contents_are_read_a_few_at_a_time(
    kind: str, address: Callable[[str], str], events: Events
) -> None:
    """When the caller has taken one of twelve contents of 1 MiB, four have been read."""
    cache = open_cache(address(kind), observe=events.append)
    blobs = put(cache, *(bytes([number]) * 2**20 for number in range(12)))
    reading = cache.get_contents(dict.fromkeys(blobs, 2**20))
    assert next(reading)[0] in blobs
    assert sum(event.hits for event in events if isinstance(event, CacheRead)) == 4
    assert len(list(reading)) == 11
    cache.close()


def test_a_wrong_name_is_refused(cache: Cache, events: Events) -> None:
    """A content that does not hash to its name is not kept, which is no failure.

    Old addresses carry a commit's SHA-1.
    """
    wrong = blob_of(b"something else")
    cache.put_content(wrong, b"content")
    assert cache.flush(20)
    assert get(cache, wrong) == {}
    assert events.failures() == []
    assert cache.status().state == "ok"


def test_put_content_ignores_a_large_content(cache: Cache, events: Events) -> None:
    """Contents over 1 MiB need a sink; `put_content` drops them, which is no failure."""
    blobs = put(cache, LARGEST + b"x")
    assert get(cache, *blobs) == {}
    assert events.failures() == []


def large(size_bytes: int, seed: int = 1) -> bytes:
    """Return a content in which no part repeats another."""
    return random.Random(seed).randbytes(size_bytes)


def stored(cache: Cache, content: bytes, chunk_bytes: int = 100_000) -> str:
    """Write a content through a sink; returns its name."""
    with cache.store_content(blob_of(content), len(content)) as sink:
        for start in range(0, len(content), chunk_bytes):
            sink.write(content[start : start + chunk_bytes])
    assert cache.flush(20)
    return blob_of(content)


def opened(cache: Cache, blob: str, size_bytes: int) -> bytes | None:
    """Read a content in chunks; None if it is missing."""
    found = cache.open_content(blob, size_bytes)
    if found is None:
        return None
    with found as chunks:
        parts = list(chunks)
    assert max(map(len, parts), default=0) <= 2**20
    return b"".join(parts)


@pytest.mark.parametrize("size_bytes", [0, 1, 2**19, 2**20, 2**20 + 1, 3 * 2**19, 5_000_000])
def test_a_content_of_any_size_is_read_in_chunks(
    cache: Cache, events: Events, size_bytes: int
) -> None:
    """What was written through a sink is read byte for byte, and counted as one hit."""
    content = large(size_bytes)
    assert opened(cache, blob_of(content), size_bytes) is None
    blob = stored(cache, content, chunk_bytes=max(1, size_bytes // 7))
    assert opened(cache, blob, size_bytes) == content
    assert events.failures() == []
    reads = [event for event in events if isinstance(event, CacheRead)]
    assert (sum(read.hits for read in reads), sum(read.misses for read in reads)) == (1, 1)


def test_a_small_content_of_a_sink_is_read_in_bulk_too(cache: Cache) -> None:
    """A small content is the same entry, whether a sink or `put_content` wrote it."""
    assert get(cache, stored(cache, b"from git")) == {blob_of(b"from git"): b"from git"}


@pytest.mark.parametrize("size_bytes", [3000, 3_000_000])
@pytest.mark.parametrize("fault", ["cut", "too long", "another", "given up"])
def test_an_incomplete_or_wrong_content_is_not_kept(
    cache: Cache, events: Events, size_bytes: int, fault: str
) -> None:
    """A sink keeps nothing of a body that is cut, too long, wrong or abandoned."""
    content = large(size_bytes)
    sent = {
        "cut": content[:-1],
        "too long": content + b"x",
        "another": b"x" + content[1:],
        "given up": content[: size_bytes // 2],
    }[fault]
    with suppress(RuntimeError), cache.store_content(blob_of(content), size_bytes) as sink:
        for start in range(0, len(sent), 100_000):
            sink.write(sent[start : start + 100_000])
        if fault == "given up":
            raise RuntimeError
    assert cache.flush(20)
    assert opened(cache, blob_of(content), size_bytes) is None
    assert events.failures() == []
    assert stored(cache, content)
    assert opened(cache, blob_of(content), size_bytes) == content


def test_a_failed_sink_leaves_a_stored_content(cache: Cache) -> None:
    """Two sinks for one content do not disturb each other."""
    content = large(2_000_000)
    blob = stored(cache, content)
    failed = cache.store_content(blob, len(content))
    failed.write(b"x" * 1_900_000)
    failed.close()
    failed.close()
    assert cache.flush(20)
    assert opened(cache, blob, len(content)) == content


def test_a_content_over_the_limit_is_not_kept(
    address: Callable[[str], str], events: Events
) -> None:
    """The limit is a setting; a larger content is not cached."""
    cache = open_cache(address("sqlite"), max_file_bytes=2_000_000, observe=events.append)
    content = large(2_000_001)
    assert opened(cache, stored(cache, content), len(content)) is None
    assert opened(cache, stored(cache, content[1:]), 2_000_000) == content[1:]
    assert events.failures() == []
    cache.close()


def test_reading_a_large_content_may_stop_early(cache: Cache) -> None:
    """An abandoned reader leaves nothing behind."""
    content = large(4_000_000)
    blob = stored(cache, content)
    found = cache.open_content(blob, len(content))
    assert found is not None
    with found as chunks:
        assert content.startswith(next(chunks))
    assert opened(cache, blob, len(content)) == content


@pytest.mark.parametrize("size_bytes", [2_999_999, 3_500_000])
def test_a_wrong_size_proves_nothing(cache: Cache, size_bytes: int) -> None:
    """The blob name covers the size: with another size the content is taken for damaged."""
    blob = stored(cache, large(3_000_000))
    with pytest.raises(CacheMissError):
        opened(cache, blob, size_bytes)
    assert cache.flush(20)
    assert opened(cache, blob, size_bytes) is None


def test_the_last_listing_wins(cache: Cache) -> None:
    """A new listing replaces the previous one, whether that is written or still waiting."""
    assert cache.get_listing("octocat") is None
    for listing in (b"one", b"", b"three" * 10_000):
        cache.put_listing("octocat", listing)
        assert cache.get_listing("octocat") == listing
        assert cache.flush(20)
        assert cache.get_listing("octocat") == listing
    assert cache.get_listing("octoca") is None


def test_any_key_is_a_key(cache: Cache) -> None:
    """Keys are any text, and none is confused with another key or with a content."""
    keys = ["a b", "a,b", "a\nb", "ä", "a:1", "%s", "x" * 500, EMPTY]
    for key in keys:
        cache.put_listing(key, key.encode())
    put(cache, b"")
    assert [cache.get_listing(key) for key in keys] == [key.encode() for key in keys]
    assert get(cache, EMPTY) == {EMPTY: b""}


def test_a_content_can_be_read_before_it_is_written(cache: Cache) -> None:
    """A content is found as soon as `put_content` has returned."""
    for number in range(200):
        content = b"%d" % number
        cache.put_content(blob_of(content), content)
        assert get(cache, blob_of(content)) == {blob_of(content): content}


def test_many_threads_use_one_cache(cache: Cache, events: Events) -> None:
    """Many threads put and get at once, and each finds what it put."""
    faults: list[str] = []

    def work(name: int) -> None:
        for number in range(60):
            content = b"%d %d" % (name % 5, number)
            cache.put_content(blob_of(content), content)
            cache.put_listing(str(name), content)
            if cache.get_listing(str(name)) != content or not get(cache, blob_of(content)):
                faults.append(f"{name}: {number}")

    threads = [threading.Thread(target=work, args=(name,)) for name in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert cache.flush(20)
    assert events.failures() == []


def test_closing_is_final_and_repeatable(cache: Cache) -> None:
    """A closed cache misses and drops, raises nothing, and leaves no thread running."""
    (blob,) = put(cache, b"kept")
    cache.close()
    cache.close()
    cache.put_content(blob_of(b"late"), b"late")
    cache.put_listing("late", b"late")
    assert get(cache, blob, blob_of(b"late")) == {}
    assert cache.get_listing("late") is None
    assert cache.flush(1)
    assert not [thread for thread in threading.enumerate() if thread.name == "gistapi-cache"]


@pytest.mark.parametrize("kind", STORED)
def test_a_cache_can_be_opened_again(kind: str, address: Callable[[str], str]) -> None:
    """What one cache wrote before it was closed is read by the next one at the same address."""
    url = address(kind)
    first = open_cache(url)
    first.put_content(blob_of(b"kept"), b"kept")
    first.put_listing("octocat", b"listing")
    first.close()
    second = open_cache(url)
    assert get(second, blob_of(b"kept")) == {blob_of(b"kept"): b"kept"}
    assert second.get_listing("octocat") == b"listing"
    second.close()


def test_off_keeps_nothing(events: Events) -> None:
    """The cache `off` is always empty, and its status is ok."""
    cache = open_cache("off", observe=events.append)
    cache.put_listing("octocat", b"listing")
    assert get(cache, *put(cache, b"content", b"")) == {}
    assert cache.get_listing("octocat") is None
    assert cache.status().state == "ok"
    assert events.failures() == []


def test_open_cache_is_lazy(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: Events
) -> None:
    """Neither opening nor closing an unused cache creates a file, thread or connection."""
    files, threads = set(tmp_path.rglob("*")), threading.active_count()
    monkeypatch.setattr("socket.socket.connect", None)
    open_cache(url, observe=events.append).close()
    assert set(tmp_path.rglob("*")) == files
    assert threading.active_count() == threads
    assert events == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2",
        "postgres://:hunter2@h/",
        "memory",
        "off:",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///hunter2/\0",
        "sqlite://hunter2/file",
        "redis://:hunter2@h:port",
        "redis://:hunter2@h:99999999",
        "redis://:hunter2/x@h",
        "redis://[hunter2/",
        "redis://h?db=hunter2",
        "redis://h?hunter2=1",
        "unix://",
    ],
)
def test_an_unknown_url_is_refused(url: str) -> None:
    """The error is raised when the cache is built, and its message shows nothing of the URL."""
    with pytest.raises(SettingsError) as caught:
        open_cache(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
