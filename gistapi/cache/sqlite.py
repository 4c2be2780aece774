"""The embedded store: one SQLite file, which evicts the least recently used entries."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gistapi.cache.blobs import MAX_CONTENT_BYTES
from gistapi.cache.breaker import Breaker
from gistapi.cache.contract import StoreError
from gistapi.cache.large import PART_BYTES
from gistapi.cache.sqlite_file import PAGE_BYTES, SqliteFile
from gistapi.events import Observer

TOUCH_SECONDS = 600
"""A use is recorded if the last one recorded is older than this."""

_MAX_WAL_BYTES = 16 * 2**20
_SHM_BYTES = 2**16
_ENTRY_PAGES = 2
"""Pages of an entry besides its value, rounded up: its rows in two tables and two indexes."""

_STEP = 64
_READ_KEYS = (8, 32, 128)
"""The numbers of keys that statements read at once: each number is a statement to be prepared."""

# All entries are one row, since sqlite3 releases the interpreter lock for every row. Beside a busy
# thread, getting it back can take 5 ms: 2,000 rows took up to 14 s, this takes 0.1 s.
_READ = """
SELECT group_concat(hex(key) || ' ' || used_at || ' ' || size),
    CAST(group_concat(value, '') AS BLOB)
FROM entry JOIN body USING (id) WHERE key IN ({})
"""
_READS = {count: _READ.format(",".join("?" * count)) for count in _READ_KEYS}
_PUT_ENTRY = """
INSERT INTO entry (key, size, used_at) VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET size = excluded.size, used_at = excluded.used_at
"""
_PUT_BODY = "INSERT OR REPLACE INTO body (id, value) SELECT id, ? FROM entry WHERE key = ?"
_REMOVE_BODY = "DELETE FROM body WHERE id = (SELECT id FROM entry WHERE key = ?)"
_TOUCH = "UPDATE entry SET used_at = ? WHERE key = ?"
_OLDEST = "SELECT id, size FROM entry ORDER BY used_at, id LIMIT ?"


class SqliteStore:
    """A Store in one file, safe for several threads and processes.

    The file and its log together stay below `max_bytes`: before an entry is written, the least
    recently used ones are removed in small steps. `clock` returns seconds since the epoch.
    """

    def __init__(
        self,
        path: Path,
        max_bytes: int,
        observe: Observer,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._wal_bytes = min(max_bytes // 4, _MAX_WAL_BYTES)
        file_bytes = max(0, max_bytes - self._wal_bytes - _SHM_BYTES)
        self._max_pages = file_bytes // PAGE_BYTES
        self._file = SqliteFile(path, file_bytes, observe)
        self.reading, self.writing = Breaker("reading"), Breaker("writing")
        holds_parts = self._wal_bytes // 4 > 2 * PART_BYTES
        self.max_content_bytes = max_bytes // 8 if holds_parts else MAX_CONTENT_BYTES
        self._clock = clock

    def read(self, keys: Sequence[str]) -> tuple[list[tuple[str, bytes]], list[str]]:
        """Return the stored entries; see Store. Writes nothing."""
        found: list[tuple[str, bytes]] = []
        used: list[str] = []
        touch_before = self._clock() - TOUCH_SECONDS
        with self._file.connection() as connection:
            for start in range(0, len(keys), _READ_KEYS[-1]):
                part = keys[start : start + _READ_KEYS[-1]]
                count = next(count for count in _READ_KEYS if count >= len(part))
                padding = [part[0]] * (count - len(part))  # sqlite3 would look for None's adapter
                row = connection.execute(_READS[count], [*part, *padding]).fetchone()
                for key, used_at, value in _split(*row):
                    found.append((key, value))
                    if used_at < touch_before:
                        used.append(key)
        return found, used

    def write(self, entries: Sequence[tuple[str, bytes | None]], used: Sequence[str]) -> None:
        """Remove and store entries and record uses, a few at a time; see Store."""
        now = int(self._clock())
        room_bytes = self._wal_bytes // 4
        removed = [(key,) for key, value in entries if value is None]
        if removed:
            with self._transaction() as connection:
                connection.executemany(_REMOVE_BODY, removed)
                connection.executemany("DELETE FROM entry WHERE key = ?", removed)
        kept = [(key, value) for key, value in entries if value is not None]
        for part in _parts(kept, room_bytes):
            self._make_room(sum(map(_pages, part)))
            with self._transaction() as connection:
                _put(connection, part, now)
        step = max(1, room_bytes // (2 * PAGE_BYTES))
        for start in range(0, len(used), step):
            with self._transaction() as connection:
                rows = [(now, key) for key in used[start : start + step]]
                connection.executemany(_TOUCH, rows)

    def size_bytes(self) -> int:
        """Return the size of the file and its log."""
        return self._file.size_bytes()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _make_room(self, pages: int) -> None:
        """Remove the least recently used entries until this many pages are free."""
        while True:
            with self._transaction() as connection:
                (total,) = connection.execute("PRAGMA page_count").fetchone()
                (free,) = connection.execute("PRAGMA freelist_count").fetchone()
                if total > self._max_pages and free:
                    connection.execute(f"PRAGMA incremental_vacuum({_STEP})").fetchall()
                elif (lacking := total - free + pages - self._max_pages) <= 0:
                    return
                elif not _forget_oldest(connection, lacking):
                    raise StoreError("the cache is too small for an entry")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction; raises StoreError while readers keep the log from being shortened."""
        # pylint: disable-next=contextmanager-generator-missing-cleanup  # `with` ends it
        with self._file.connection() as connection:
            if self._file.wal_bytes() > self._wal_bytes // 4:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                if self._file.wal_bytes() > self._wal_bytes // 2:
                    raise StoreError("readers keep the log from being shortened")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")


def _split(facts: bytes | None, values: bytes | None) -> Iterator[tuple[str, int, bytes]]:
    """Yield the entries in a row of _READ: key, time of last use in epoch seconds, value."""
    start = 0
    values = values or b""
    for fact in facts.split(b",") if facts else ():
        key, used_at, size = fact.split(b" ")
        end = start + int(size)
        yield bytes.fromhex(key.decode()).decode(), int(used_at), values[start:end]
        start = end


def _pages(entry: tuple[str, bytes]) -> int:
    return len(entry[1]) // PAGE_BYTES + 1 + _ENTRY_PAGES


def _parts(
    entries: Sequence[tuple[str, bytes]], room_bytes: int
) -> Iterator[list[tuple[str, bytes]]]:
    """Yield the entries of one transaction at a time; drops entries that are too large."""
    part: list[tuple[str, bytes]] = []
    free = room = room_bytes // PAGE_BYTES
    for entry in entries:
        needed = _pages(entry)
        if needed > room:
            continue
        if needed > free:
            yield part
            part, free = [], room
        part.append(entry)
        free -= needed
    if part:
        yield part


def _put(connection: sqlite3.Connection, entries: list[tuple[str, bytes]], now: int) -> None:
    connection.executemany(_PUT_ENTRY, ((key, len(value), now) for key, value in entries))
    # sqlite3 searches for an adapter of bytes, which takes longer than this copy.
    connection.executemany(_PUT_BODY, ((bytearray(value), key) for key, value in entries))


def _forget_oldest(connection: sqlite3.Connection, pages: int) -> bool:
    """Remove the least recently used entries, about this many pages and at most _STEP entries."""
    ids: list[tuple[int]] = []
    for row, size_bytes in connection.execute(_OLDEST, (_STEP,)).fetchall():
        if pages <= 0:
            break
        ids.append((row,))
        pages -= size_bytes // PAGE_BYTES + 1
    connection.executemany("DELETE FROM body WHERE id = ?", ids)
    connection.executemany("DELETE FROM entry WHERE id = ?", ids)
    return bool(ids)
