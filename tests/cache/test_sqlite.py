"""The embedded store: its file, its bound, and its failures, which are provoked for real."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gistapi.cache import Cache, open_cache
from gistapi.cache.contract import StoreError
from gistapi.cache.sqlite import TOUCH_SECONDS, SqliteStore
from gistapi.cache.sqlite_file import APPLICATION_ID, SCHEMA_VERSION
from gistapi.errors import SettingsError
from gistapi.events import ignore
from tests.cache.conftest import Events, blob_of, has, put, recovers
from tests.waiting import until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path given in the setting."""
    return tmp_path / "folder" / "cache.sqlite"


@pytest.fixture
def file(path: Path) -> Path:
    """Return the path of the cache's file, which does not exist yet."""
    return path.with_name(f"cache-{SCHEMA_VERSION}.sqlite")


@pytest.fixture
def cache(path: Path, events: Events) -> Iterator[Cache]:
    """Yield a cache in that file."""
    cache = open_cache(f"sqlite:///{path}", observe=events.append)
    yield cache
    cache.close()


def test_file_and_folder_are_private(cache: Cache, file: Path) -> None:
    """The first use creates the folder and the files for their owner alone."""
    put(cache)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    files = list(file.parent.iterdir())
    assert {file.name for file in files} >= {file.name, f"{file.name}-wal"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert cache.status().size_bytes == sum(file.stat().st_size for file in files)


def test_a_relative_path_has_three_slashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sqlite:///name` is relative to the working directory."""
    monkeypatch.chdir(tmp_path)
    cache = open_cache("sqlite:///here.sqlite")
    put(cache)
    cache.close()
    assert (tmp_path / f"here-{SCHEMA_VERSION}.sqlite").is_file()


def test_reading_writes_nothing(cache: Cache, file: Path) -> None:
    """Reading recently used entries leaves the file and its log unchanged."""
    put(cache)
    files = [file, file.with_name(f"{file.name}-wal")]
    before = [each.read_bytes() for each in files]
    for _ in range(20):
        assert has(cache)
    assert cache.flush(20)
    assert [each.read_bytes() for each in files] == before


@pytest.mark.parametrize("max_bytes", [2**20, 5 * 2**20])
def test_the_most_recently_used_entries_stay(path: Path, max_bytes: int) -> None:
    """The store evicts the least recently used entries, and never exceeds its bound."""
    now = 10**9
    store = SqliteStore(path, max_bytes, ignore, clock=lambda: now)
    loved = [(f"loved {number}", os.urandom(1000)) for number in range(20)]
    store.write(loved, [])
    for number in range(3 * max_bytes // 20_000):
        now += TOUCH_SECONDS + 1
        found, used = store.read([key for key, _ in loved])
        assert dict(found) == dict(loved)
        assert sorted(used) == sorted(key for key, _ in loved)
        store.write([(f"passing {number}", os.urandom(20_000))], used)
        assert store.size_bytes() <= max_bytes
    found, used = store.read([f"passing {number}" for number in range(3 * max_bytes // 20_000)])
    kept = sorted(int(key.removeprefix("passing ")) for key, _ in found)
    assert 0 < len(kept) < max_bytes // 20_000
    assert kept == list(range(kept[0], 3 * max_bytes // 20_000))
    store.close()


def test_a_use_is_recorded_at_intervals(path: Path) -> None:
    """An entry is reported as used only if its last recorded use is long ago."""
    now = 10**9
    store = SqliteStore(path, 2**30, ignore, clock=lambda: now)
    store.write([("key", b"value")], [])
    assert store.read(["key"]) == ([("key", b"value")], [])
    now += TOUCH_SECONDS + 1
    assert store.read(["key"]) == ([("key", b"value")], ["key"])
    store.write([], ["key"])
    assert store.read(["key"]) == ([("key", b"value")], [])
    store.close()


def test_the_bound_is_kept_while_others_read(path: Path) -> None:
    """Far more than fits is written while threads read all the time."""
    max_bytes = 8 * 2**20
    store = SqliteStore(path, max_bytes, ignore)
    stop = threading.Event()
    faults: list[object] = []
    written = 0

    def read() -> None:
        while not stop.is_set():
            wanted = [str(number) for number in range(400)]
            found, _ = store.read(wanted)
            faults.extend(key for key, value in found if value != key.encode() * 15_000)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for start in range(0, 400, 20):
            numbers = range(start, start + 20)
            with suppress(StoreError):  # readers can keep the log from being truncated: dropped
                store.write([(f"{number}", b"%d" % number * 15_000) for number in numbers], [])
                written += 1
            assert store.size_bytes() <= max_bytes
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert faults == []
    assert written > 0
    store.close()


def test_a_smaller_bound_shrinks_the_file(path: Path, file: Path) -> None:
    """A larger file is brought under the new bound; the most recently used entries stay."""
    large = SqliteStore(path, 2**30, ignore, clock=lambda: 1)
    large.write([(f"{number}", os.urandom(10_000)) for number in range(1000)], [])
    large.close()
    small = SqliteStore(path, 4 * 2**20, ignore, clock=lambda: 2)
    small.write([("new", b"value")], [])
    small.write([], ["new"])
    small.close()
    assert file.stat().st_size <= 4 * 2**20
    assert small.read(["new", "999"])[0][-1][0] in {"new", "999"}
    assert len(small.read(["new", "0", "999"])[0]) == 2
    small.close()


def test_a_tiny_bound_keeps_nothing(path: Path, events: Events) -> None:
    """Nothing fits, nothing is kept, and the bound holds."""
    cache = open_cache(f"sqlite:///{path}", max_bytes=100_000, observe=events.append)
    put(cache, b"x" * 90_000)
    assert not has(cache, b"x" * 90_000)
    cache.close()


@pytest.mark.usefixtures("soon")
def test_a_write_lock_drops_writes(cache: Cache, file: Path, events: Events) -> None:
    """While another program holds the lock, reads succeed and writes are dropped."""
    put(cache)
    with sqlite3.connect(file) as other:
        other.execute("BEGIN IMMEDIATE")
        put(cache, b"dropped")
        assert has(cache)
        assert not has(cache, b"dropped")
        assert cache.status().state == "warn"
        assert cache.status().message == "Writing fails: another program has locked the file."
        assert "locked" in events.failures()[0].error
        other.execute("ROLLBACK")
    other.close()
    recovers(cache)


@pytest.mark.usefixtures("soon")
def test_an_exclusive_lock_is_a_miss(cache: Cache, path: Path, file: Path, events: Events) -> None:
    """When the other program releases the file, the cache works again."""
    put(cache)
    cache.close()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
    other.execute("BEGIN EXCLUSIVE")
    cache = open_cache(f"sqlite:///{path}", observe=events.append)
    assert not has(cache)
    assert cache.get_listing("octocat") is None
    assert cache.status().message == "Reading fails: another program has locked the file."
    other.close()
    recovers(cache)
    cache.close()


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("taken", ["file", "folder"])
def test_an_obstacle_at_the_path_is_a_miss(
    cache: Cache, file: Path, taken: str, events: Events
) -> None:
    """A folder in place of the file, or a file in place of its folder, until it is removed."""
    if taken == "file":
        file.mkdir(parents=True)
    else:
        file.parent.write_bytes(b"")
    put(cache)
    assert not has(cache)
    assert cache.status().state == "warn"
    assert {failure.operation for failure in events.failures()} >= {"write", "get_contents"}
    assert all(str(file.parent) not in failure.error for failure in events.failures())
    assert str(file.parent) not in str(cache.status().message)
    if taken == "file":
        file.rmdir()
    else:
        file.parent.unlink()
    recovers(cache)


@pytest.mark.usefixtures("soon")
def test_the_status_recovers_without_searches(cache: Cache, file: Path) -> None:
    """Requests for the status alone notice that a store fails, and that it works again."""
    file.mkdir(parents=True)
    until(lambda: cache.status().state == "warn")
    file.rmdir()
    until(lambda: cache.status().state == "ok")


@pytest.mark.parametrize("damage", ["truncated", "inside"])
@pytest.mark.usefixtures("soon")
def test_a_damaged_file_is_replaced_when_opened(
    path: Path, file: Path, damage: str, events: Events
) -> None:
    """The replacement is reported once."""
    cache = open_cache(f"sqlite:///{path}")
    for number in range(50):
        put(cache, b"%d" % number * 1000)
    cache.close()
    whole = file.read_bytes()
    damaged = {
        "truncated": whole[: len(whole) // 3],
        "inside": whole[:4096] + b"\xff" * (len(whole) - 4096),
    }
    file.write_bytes(damaged[damage])
    cache = open_cache(f"sqlite:///{path}", observe=events.append)
    has(cache)
    recovers(cache)
    begun = [failure for failure in events.failures() if failure.operation == "open"]
    assert len(begun) == 1
    cache.close()


@pytest.mark.usefixtures("soon")
def test_a_file_damaged_while_in_use_is_replaced(cache: Cache, file: Path, events: Events) -> None:
    """Pages are overwritten under an open cache: it never returns a wrong content."""
    contents = [b"%d" % number * 2000 for number in range(300)]
    for content in contents:
        cache.put_content(blob_of(content), content)
    assert cache.flush(20)
    with sqlite3.connect(file) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    other.close()
    with file.open("r+b") as damaged:
        damaged.seek(4096)
        damaged.write(os.urandom(file.stat().st_size - 4096))
    wanted: dict[str, int | None] = {blob_of(content): None for content in contents}
    until(lambda: not dict(cache.get_contents(wanted)))
    recovers(cache)
    assert "open" in {failure.operation for failure in events.failures()}


def test_flipped_bits_in_a_value_are_noticed(cache: Cache, file: Path, events: Events) -> None:
    """SQLite can't notice them; a content's name and a listing's digest do."""
    put(cache)
    cache.put_listing("octocat", b"listing")
    assert cache.flush(20)
    with sqlite3.connect(file) as other:
        other.execute("UPDATE body SET value = zeroblob(length(value))")
    other.close()
    assert not has(cache)
    assert cache.get_listing("octocat") is None
    assert [failure.operation for failure in events.failures()] == ["get_contents", "get_listing"]
    put(cache)
    assert has(cache)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("whole", [True, False])
def test_a_deleted_file_is_created_again(
    cache: Cache, file: Path, events: Events, *, whole: bool
) -> None:
    """The file is deleted under an open cache, with or without its folder."""
    put(cache)
    if whole:
        shutil.rmtree(file.parent)
    else:
        file.unlink()
    assert not has(cache)
    recovers(cache)
    assert file.is_file()
    assert events.failures() == []


def database(path: Path, *, user_version: int = 0) -> bytes:
    """Create another program's database; returns its bytes."""
    path.parent.mkdir(exist_ok=True)
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE entry (note)")
    other.execute("INSERT INTO entry VALUES ('mine')")
    other.execute(f"PRAGMA user_version = {user_version}")
    other.commit()
    other.close()
    return path.read_bytes()


def foreign(kind: str, path: Path) -> bytes:
    """Create a file that is not ours; returns its bytes."""
    path.parent.mkdir(exist_ok=True)
    if kind in {"text", "short"}:
        path.write_bytes(b"my notes\n" * (300 if kind == "text" else 1))
        return path.read_bytes()
    version = {"database": 0, "an older version's number": 1, "our version's number": 2}[kind]
    return database(path, user_version=version)


KINDS = ["text", "short", "database", "an older version's number", "our version's number"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["named", "versioned"])
def test_a_foreign_file_stops_the_start(path: Path, file: Path, kind: str, where: str) -> None:
    """The file stays unchanged, and the message names it and the remedy."""
    taken = path if where == "named" else file
    content = foreign(kind, taken)
    with pytest.raises(SettingsError, match="Name another file in GISTAPI_CACHE_URL") as refused:
        open_cache(f"sqlite:///{path}")
    assert str(taken) in str(refused.value)
    assert taken.read_bytes() == content
    assert list(path.parent.iterdir()) == [taken]


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_a_file_in_place_of_the_log_stops_the_start(path: Path, file: Path, end: str) -> None:
    """SQLite would overwrite or remove such a file."""
    taken = file.with_name(file.name + end)
    content = foreign("text", taken)
    with pytest.raises(SettingsError, match="Name another file in GISTAPI_CACHE_URL") as refused:
        open_cache(f"sqlite:///{path}")
    assert str(taken) in str(refused.value)
    assert taken.read_bytes() == content
    assert list(path.parent.iterdir()) == [taken]


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("kind", KINDS)
def test_a_foreign_file_that_appears_later_is_left_alone(
    cache: Cache, file: Path, kind: str, events: Events
) -> None:
    """The service continues without a cache, and the status says so."""
    put(cache)
    shutil.rmtree(file.parent)
    content = foreign(kind, file)
    for _ in range(2):
        assert not has(cache)
        put(cache)
        cache.status()
    until(lambda: "not gistapi's" in str(cache.status().message))
    assert cache.status().state == "warn"
    assert file.read_bytes() == content
    assert list(file.parent.iterdir()) == [file]
    assert "open" not in {failure.operation for failure in events.failures()}
    file.unlink()
    recovers(cache)


@pytest.mark.usefixtures("soon")
def test_a_file_without_its_mark_is_left_alone(cache: Cache, file: Path) -> None:
    """A damaged file that is not proved to be ours is not replaced."""
    put(cache)
    with sqlite3.connect(file) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    other.close()
    file.write_bytes(b"my notes\n" * 3000)
    until(lambda: not has(cache) and "not gistapi's" in str(cache.status().message))
    cache.close()
    assert file.read_bytes() == b"my notes\n" * 3000


def test_the_cache_of_version_0_1_is_left_alone(path: Path, file: Path, events: Events) -> None:
    """Versions never share a file: the old one stays unchanged and prevents nothing."""
    path.parent.mkdir()
    old = sqlite3.connect(path, isolation_level=None)
    old.execute("PRAGMA journal_mode = WAL").fetchone()
    old.executescript(SCHEMA_OF_0_1)
    old.close()
    content = path.read_bytes()
    cache = open_cache(f"sqlite:///{path}", observe=events.append)
    put(cache)
    assert has(cache)
    cache.close()
    assert events.failures() == []
    assert path.read_bytes() == content
    assert file.is_file()


SCHEMA_OF_0_1 = """
CREATE TABLE entry (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
    used_at INTEGER NOT NULL
);
CREATE INDEX entry_used_at ON entry (used_at);
CREATE TABLE body (id INTEGER PRIMARY KEY, value BLOB NOT NULL);
PRAGMA user_version = 1;
"""


def test_an_interrupted_creation_is_completed(path: Path, file: Path) -> None:
    """A file with its mark but without tables gets them."""
    file.parent.mkdir()
    for content in (b"", None):
        if content is None:
            begun = sqlite3.connect(file)
            begun.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            begun.close()
        else:
            file.write_bytes(content)
        cache = open_cache(f"sqlite:///{path}")
        put(cache)
        assert has(cache)
        cache.close()
        file.unlink()


CHILD = """
import os, resource, sys
from gistapi.cache import open_cache
from tests.cache.conftest import BLOB, CONTENT, Events, blob_of, has, put, recovers
if "nobody" in sys.argv:
    os.setuid(65534)
if "full" in sys.argv:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
events = Events()
cache = open_cache("sqlite:///" + sys.argv[1], observe=events.append)
contents = [(sys.argv[2] + str(number)).encode() * 1000 for number in range(300)]
for content in contents:
    cache.put_content(blob_of(content), content)
    if "full" in sys.argv:
        cache.flush(20)
assert cache.flush(60)
found = dict(cache.get_contents({blob_of(content): len(content) for content in contents}))
assert all(blob_of(content) == blob for blob, content in found.items())
print(len(found), cache.status().state, sorted({f.operation for f in events.failures()}))
cache.close()
"""


def _child(path: Path, *arguments: str) -> subprocess.Popen[str]:
    root = Path(__file__).parent.parent.parent
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), *arguments],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_full_disk_drops_writes(path: Path) -> None:
    """Entries that were written before can still be read."""
    with _child(path, "a", "full") as child:
        found, state, *operations = child.communicate(timeout=60)[0].split()
    assert child.returncode == 0
    assert 0 < int(found) < 300
    assert (state, operations) == ("warn", ["['write']"])


def test_a_read_only_folder_drops_writes() -> None:
    """Reads are misses too, since the store cannot be opened."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cache.sqlite"
        cache = open_cache(f"sqlite:///{path}")
        put(cache)
        cache.close()
        for file in Path(folder).iterdir():
            file.chmod(0o444)
        Path(folder).chmod(0o555)
        try:
            with _child(path, "a", *["nobody"] * (os.geteuid() == 0)) as child:
                answer = child.communicate(timeout=60)[0].split(maxsplit=2)
        finally:
            Path(folder).chmod(0o755)
    assert child.returncode == 0
    assert answer[:2] == ["0", "warn"]
    assert "'write'" in answer[2]


def test_several_processes_create_and_write_one_file(path: Path, file: Path) -> None:
    """Processes that start together lose and damage nothing."""
    names = ["a", "b", "c", "a"]
    children = [_child(path, name) for name in names]
    answers = [child.communicate(timeout=90)[0] for child in children]
    assert [child.returncode for child in children] == [0] * len(children)
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (entries,) = connection.execute("SELECT count(*) FROM entry").fetchone()
    connection.close()
    assert entries <= 900
    assert all(answer.split()[1] in {"ok", "warn"} for answer in answers)
    assert entries >= 300
