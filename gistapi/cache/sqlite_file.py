"""Creates, recognises and opens the embedded cache's file, and replaces it if it is damaged."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from gistapi.cache.contract import StoreError
from gistapi.errors import SettingsError
from gistapi.events import CacheFailed, Observer

SCHEMA_VERSION = 2
"""Part of the file's name. Incremented with each change of the tables or their meaning."""

APPLICATION_ID = 0x67697374
"""The mark of our files, at offset 68 of their header: https://www.sqlite.org/fileformat.html"""

PAGE_BYTES = 4096
_BUSY_SECONDS = 0.25
_OPEN_SECONDS = 1.0
"""How long to wait while another process opens or creates the file."""

_SCHEMA = f"""
PRAGMA page_size = {PAGE_BYTES};
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA journal_mode = WAL;
BEGIN IMMEDIATE;
CREATE TABLE entry (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
    used_at INTEGER NOT NULL
);
CREATE INDEX entry_used_at ON entry (used_at);
CREATE TABLE body (id INTEGER PRIMARY KEY, value BLOB NOT NULL);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""  # two tables, so that recording a use never rewrites a value
_SCHEMA_OF_0_1 = b"CREATE TABLE body (id INTEGER PRIMARY KEY, value BLOB NOT NULL)"
_HEADER = b"SQLite format 3\0"

_CAUSES = {
    sqlite3.SQLITE_BUSY: "another program has locked the file",
    sqlite3.SQLITE_LOCKED: "another program has locked the file",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the file is read-only",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_NOTADB: "the file is damaged",
    sqlite3.SQLITE_FORMAT: "the file is damaged",
}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_FILES = ("", "-wal", "-shm")
_BESIDE = {
    "-wal": (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"),
    "-shm": ((3_007_000).to_bytes(4, sys.byteorder),),
    "-journal": (b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7",),
}
"""The first bytes of SQLite's files beside a database, if not zero. It overwrites other files."""
_FOREIGN = "the file there is not gistapi's"

_Identity = tuple[int, int]


class SqliteFile:
    """Provides connections to one file in WAL mode; each serves one thread at a time.

    The file for `cache.sqlite3` is `cache-2.sqlite3`, since versions never share one. Only a file
    with our mark is written or removed; a damaged one is replaced. The file may be deleted or
    replaced while it is open: connections to the old file, which stay valid, are then closed.
    Opening and removing hold a lock on the folder, so that no file is joined with another's log.

    Raises SettingsError if there is already a file that gistapi did not create.
    """

    def __init__(self, path: Path, max_bytes: int, observe: Observer) -> None:
        self._path = path.with_name(f"{path.stem}-{SCHEMA_VERSION}{path.suffix}")
        self._max_bytes = max_bytes
        self._observe = observe
        self._lock = threading.Lock()
        self._idle: list[tuple[_Identity, sqlite3.Connection]] = []
        self._recognised: _Identity | None = None
        self._damaged: _Identity | None = None
        for found in (path, self._path):
            with suppress(OSError):
                if not _is_ours(found) and not self._is_ours_alone(found):
                    raise _refusal(found)
        for end, marks in _BESIDE.items():
            with suppress(OSError):
                if not _begins_with(self._beside(end), marks):
                    raise _refusal(self._beside(end))

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection in autocommit mode; raises StoreError for anything that fails."""
        try:
            identity, connection = self._take()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            with self._lock:
                self._idle.append((identity, connection))
        except sqlite3.Error as error:
            # the low byte is the primary code: https://www.sqlite.org/rescode.html
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _DAMAGED:
                self._damaged = self._recognised
            raise StoreError(_CAUSES.get(code, "SQLite fails"), error) from error
        except OSError as error:
            raise StoreError((error.strerror or "the file cannot be used").lower()) from error

    def size_bytes(self) -> int:
        """Return the size of the file and its log."""
        return sum(_size_bytes(self._beside(end)) for end in _FILES)

    def wal_bytes(self) -> int:
        """Return the size of the log."""
        return _size_bytes(self._beside("-wal"))

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _take(self) -> tuple[_Identity, sqlite3.Connection]:
        """Return a connection to the file that is at the path now."""
        identity = _identity(self._path)
        left: list[sqlite3.Connection] = []
        try:
            with self._lock:
                while self._idle:
                    opened, connection = self._idle.pop()
                    if opened == identity:
                        return opened, connection
                    left.append(connection)
        finally:
            for connection in left:
                connection.close()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            return self._open()

    def _open(self) -> tuple[_Identity, sqlite3.Connection]:
        if self._damaged is not None and self._damaged == _identity(self._path):
            self._begin_again()
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        status = self._path.stat()
        identity = status.st_dev, status.st_ino
        if identity != self._recognised and not _is_ours(self._path):
            raise StoreError(_FOREIGN)
        self._recognised = identity
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(self._path))}?mode=rw",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return identity, connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.text_factory = bytes
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:  # a new file, or one whose creation was interrupted
            connection.executescript(_SCHEMA)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = OFF").fetchone()
        connection.execute("PRAGMA wal_autocheckpoint = 0").fetchone()
        connection.execute(f"PRAGMA max_page_count = {self._max_bytes // PAGE_BYTES}").fetchone()

    def _begin_again(self) -> None:
        if not _is_ours(self._path):  # the mark itself is damaged
            raise StoreError(_FOREIGN)
        for end in _FILES:
            self._beside(end).unlink(missing_ok=True)
        self._observe(CacheFailed("open", "the file is damaged and is replaced"))

    def _is_ours_alone(self, path: Path) -> bool:
        """Check again under the lock: another process may have been creating the file."""
        with self._alone():
            return _is_ours(path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock on the folder, so that no other process opens or removes the file."""
        descriptor = os.open(self._path.parent, os.O_RDONLY)
        try:
            ends_at = time.monotonic() + _OPEN_SECONDS
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > ends_at:
                        raise
                    time.sleep(0.005)
            yield
        finally:
            os.close(descriptor)

    def _beside(self, end: str) -> Path:
        return self._path.with_name(self._path.name + end)


def _refusal(path: Path) -> SettingsError:
    return SettingsError(
        f"{path} was not created by gistapi and stays unchanged. Name another file in"
        " GISTAPI_CACHE_URL, or remove this one if it is a damaged cache."
    )


def _begins_with(path: Path, marks: tuple[bytes, ...]) -> bool:
    with path.open("rb") as file:
        start = file.read(8)
    return not start.strip(b"\0") or start.startswith(marks)


def _is_ours(path: Path) -> bool:
    """Whether a file has our mark, is empty, or is the cache of version 0.1.

    Must not be called for a file with a connection in this process: closing the file drops SQLite's
    locks.
    """
    if path.exists() and not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(PAGE_BYTES)
    marked = start[68:72] == APPLICATION_ID.to_bytes(4) or _SCHEMA_OF_0_1 in start
    return not start or (start.startswith(_HEADER) and marked)


def _identity(path: Path) -> _Identity | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
