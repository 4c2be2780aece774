"""Callers' keys: created and revoked by the operator, stored hashed in a file, looked up here.

The file is JSON: `{"keys": [{"name", "sha256", "created"}]}`. Of a key only its SHA-256 is
kept. A slow hash would add nothing: it protects what can be guessed, and 256 random bits cannot be
(NIST SP 800-63B, 5.1.2.2: secrets of at least 112 bits are hashed with an approved one-way
function, and only weaker ones with a slow one; https://pages.nist.gov/800-63-3/sp800-63b.html).
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from gistapi.errors import KeyFileError

PREFIX = "gak_"
RANDOM_BYTES = 32
MAX_FILE_BYTES = 2**20
MARKER = ".required"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Key:
    """A key as the file has it; `created` is a time as `2026-01-31T12:00:00Z`."""

    name: str
    sha256: str
    created: str


class KeyFile:
    """The keys in one file, read again when it changes. For any thread and several processes.

    Once the file exists a key is required, even if it contains none: revoking the last key must
    not open the service. A file that cannot be read admits nobody, nor does
    one that was deleted: a marker beside it says that it existed, in the next process too.
    `required` says so where nothing can be written, as beside a mounted secret. Then every method
    raises KeyFileError, whose message says why and what to do.
    """

    def __init__(self, path: Path, *, required: bool = False) -> None:
        self._path = path
        self._marker = path.with_name(path.name + MARKER)
        self._required = required
        self._lock = threading.Lock()
        self._stamp: _Stamp | None = None
        self._keys: tuple[Key, ...] = ()

    def exists(self) -> bool:
        """Whether a key is required."""
        return self._read() is not None

    def find(self, secret: str) -> Key | None:
        """Return the key with this secret, None if there is none.

        Hashed first, so that the time this takes reveals nothing about the keys; every hash is
        compared, each in constant time, so that it does not reveal which key is similar.
        """
        digest = _digest(secret)
        found = None
        for key in self._read() or ():
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def entries(self) -> tuple[Key, ...]:
        """Return all keys, oldest first."""
        return self._read() or ()

    def create(self, name: str) -> str:
        """Create a key of that name and return its secret, which is not stored.

        Raises ValueError for a name that exists or is malformed, KeyFileError if the file cannot
        be written.
        """
        if not _NAME.fullmatch(name):
            raise ValueError("a name is up to 64 letters, digits, `.`, `_` and `-`")
        secret = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self._changing() as keys:
            if any(key.name == name for key in keys):
                raise ValueError(f"there is a key named {name} already")
            keys.append(Key(name, _digest(secret), created))
        return secret

    def revoke(self, name: str) -> None:
        """Remove the key of that name; raises ValueError if there is none."""
        with self._changing() as keys:
            kept = [key for key in keys if key.name != name]
            if len(kept) == len(keys):
                raise ValueError(f"there is no key named {name}")
            keys[:] = kept

    def _read(self) -> tuple[Key, ...] | None:
        """The keys; None if there never was a file."""
        with self._lock, _mapped(self._path):
            try:
                found = self._path.stat()
            except FileNotFoundError:
                if self._stamp is None and not self._required and not self._marker.exists():
                    return None
                raise KeyFileError(self._gone()) from None
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            if stamp != self._stamp:
                self._stamp = (0, 0, 0)  # keep no keys of a file that cannot be parsed
                self._keys = _parsed(_content(self._path))
                self._stamp = stamp
                with suppress(OSError):  # a read-only folder: see `required`
                    self._marker.touch(0o600)
            return self._keys

    def _gone(self) -> str:
        words = f"the key file {self._path} is missing, and keys are required"
        cure = "Restore it, or create a key with `gistapi keys create`."
        if self._required:
            return f"{words} (GISTAPI_KEYS_REQUIRED). {cure}"
        return (
            f"{words}, for it was there before. {cure} To open the service to all, remove"
            f" {self._marker}."
        )

    @contextmanager
    def _changing(self) -> Iterator[list[Key]]:
        """The keys, written back unless the body fails; one process at a time."""
        folder = self._path.parent
        with _mapped(self._path):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            held = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            keys = list(self._read() or ()) if self._path.exists() else []
            yield keys
            with _mapped(self._path):
                _replace(self._path, json.dumps({"keys": [asdict(key) for key in keys]}, indent=1))
                os.fsync(held)
        finally:
            os.close(held)


@contextmanager
def _mapped(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyFileError(f"the key file {path}: {error.strerror}") from error
    except ValueError as error:
        raise KeyFileError(f"the key file {path} is damaged: {error}") from error


def _content(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError("it is larger than 1 MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text; save it as UTF-8") from None


def _parsed(text: str) -> tuple[Key, ...]:
    try:
        keys = tuple(Key(**entry) for entry in json.loads(text)["keys"])
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON (line {error.lineno})") from None
    except (KeyError, TypeError, RecursionError):
        raise ValueError('it is not {"keys": [{"name", "sha256", "created"}]}') from None
    for key in keys:
        if not all(isinstance(value, str) for value in asdict(key).values()):
            raise ValueError("an entry has something other than text")
        if not _NAME.fullmatch(key.name) or not _SHA256.fullmatch(key.sha256):
            raise ValueError("an entry has no plain name, or no SHA-256 in hex")
    if len({key.name for key in keys}) < len(keys):
        raise ValueError("a name stands in it twice")
    return keys


def _replace(path: Path, text: str) -> None:
    """Write so that a reader sees the old file or the new one, which only its owner may read."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
