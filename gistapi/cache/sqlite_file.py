"""The embedded cache's file: made, opened, thrown away when it can't be used; its connections."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gistapi.cache.contract import StoreError
from gistapi.events import CacheFailed, Observer

SCHEMA_VERSION = 1
"""Counts up with every change of the tables below, or of what the bytes in them mean."""

BUSY_SECONDS = 0.25
"""How long a locked file is waited for."""

_OPEN_SECONDS = 1.0
"""How long others are waited for who open the file: the first one has to make it."""

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE entry (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
    used_at INTEGER NOT NULL
);
CREATE INDEX entry_used_at ON entry (used_at);
CREATE TABLE body (id INTEGER PRIMARY KEY, value BLOB NOT NULL);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""  # two tables, so that noting a use never rewrites a value

_UNUSABLE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_FILES = ("", "-wal", "-shm")
_PAGE_BYTES = 4096

_Identity = tuple[int, int]


class SqliteFile:
    """Hands out connections to one file in WAL mode; each serves one thread at a time.

    The file may vanish or be replaced while it is open, here or by another process: connections to
    the old one, which stay whole, are left behind. Whoever opens or throws away does so under a
    lock file, so that nobody ever joins one file with another one's log.
    """

    def __init__(self, path: Path, max_bytes: int, observe: Observer) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._observe = observe
        self._lock = threading.Lock()
        self._idle: list[tuple[_Identity, sqlite3.Connection]] = []
        self._served = False

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection in autocommit mode; raises StoreError for all that goes wrong with it."""
        try:
            identity, connection = self._take()
            try:
                yield connection
            except BaseException as error:
                if _is_unusable(error):
                    self._throw_away(identity)
                connection.close()
                raise
            with self._lock:
                self._idle.append((identity, connection))
        except sqlite3.Error as error:
            raise StoreError(f"{type(error).__name__}: {error}") from error
        except OSError as error:
            raise StoreError(f"{type(error).__name__}: {error.strerror}") from error

    def size_bytes(self) -> int:
        """What the file and its log take up."""
        return sum(_size_bytes(_beside(self._path, end)) for end in _FILES)

    def wal_bytes(self) -> int:
        """What the log takes up."""
        return _size_bytes(_beside(self._path, "-wal"))

    def close(self) -> None:
        """Close the connections nobody uses now."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _take(self) -> tuple[_Identity, sqlite3.Connection]:
        """A connection to the file that has the name now."""
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
        return self._connect()

    def _connect(self) -> tuple[_Identity, sqlite3.Connection]:
        """Open the file, anew when it is there but can't be used."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            try:
                return self._open()
            except sqlite3.DatabaseError as error:
                if not _is_unusable(error):
                    raise
                self._unlink(f"{error}")
            return self._open()

    def _open(self) -> tuple[_Identity, sqlite3.Connection]:
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(connection)
            status = self._path.stat()
        except BaseException:
            connection.close()
            raise
        self._served = True
        return (status.st_dev, status.st_ino), connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Create the tables in an empty file; raises _OtherVersionError for another's tables."""
        connection.text_factory = bytes
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not version and not tables:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.executescript(_SCHEMA)
        elif version != SCHEMA_VERSION:
            if self._served:  # a newcomer took it over: two versions must not take turns
                raise StoreError("VersionError: another version of gistapi uses the file")
            raise _OtherVersionError(f"schema version {version}")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = OFF").fetchone()
        connection.execute("PRAGMA wal_autocheckpoint = 0").fetchone()
        connection.execute(f"PRAGMA max_page_count = {self._max_bytes // _PAGE_BYTES}").fetchone()

    def _throw_away(self, identity: _Identity) -> None:
        """Remove the file that was just found damaged, unless another has taken its place."""
        with suppress(OSError), self._alone():
            if _identity(self._path) == identity:
                self._unlink("it is damaged")

    def _unlink(self, reason: str) -> None:
        for end in _FILES:
            _beside(self._path, end).unlink(missing_ok=True)
        self._observe(CacheFailed("open", f"the file is thrown away: {reason}"))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else opens or removes the file meanwhile, in no process."""
        descriptor = os.open(_beside(self._path, "-lock"), os.O_CREAT | os.O_RDWR, 0o600)
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


class _OtherVersionError(sqlite3.DatabaseError):
    """The file has the tables of another version."""


def _is_unusable(error: BaseException) -> bool:
    # the low byte is the primary code: https://www.sqlite.org/rescode.html
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, _OtherVersionError) or code in _UNUSABLE


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


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
