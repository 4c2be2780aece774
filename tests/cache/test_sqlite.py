"""The embedded store: its file, its bound, and every way it can fail, really provoked."""

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
from gistapi.cache.sqlite_file import SCHEMA_VERSION
from gistapi.events import ignore
from tests.cache.conftest import Events, blob_of
from tests.waiting import until

CONTENT = b"content" * 100
BLOB = blob_of(CONTENT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the place of a file that does not exist yet."""
    return tmp_path / "folder" / "cache.sqlite"


@pytest.fixture
def cache(path: Path, events: Events) -> Iterator[Cache]:
    """Give a cache in that file."""
    cache = open_cache(f"sqlite:///{path}", observe=events.append)
    yield cache
    cache.close()


def put(cache: Cache, content: bytes = CONTENT) -> None:
    """Have a content written."""
    cache.put_content(blob_of(content), content)
    assert cache.flush(20)


def has(cache: Cache, content: bytes = CONTENT) -> bool:
    """Whether a content is there, and right."""
    found = dict(cache.get_contents({blob_of(content): len(content)}))
    assert found in ({}, {blob_of(content): content})
    return bool(found)


def works_again(cache: Cache) -> None:
    """Wait until the cache keeps what it is given, and says that it is well."""

    def kept() -> bool:
        put(cache)
        return has(cache) and cache.status().state == "ok"

    until(kept)


def test_file_and_folder_are_private(cache: Cache, path: Path) -> None:
    """The first use makes the folder for its owner alone, and the files too."""
    put(cache)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = list(path.parent.iterdir())
    assert {file.name for file in files} >= {path.name, f"{path.name}-wal"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert cache.status().size_bytes == sum(file.stat().st_size for file in files)


def test_a_relative_path_has_three_slashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sqlite:///name` lies in the working directory."""
    monkeypatch.chdir(tmp_path)
    cache = open_cache("sqlite:///here.sqlite")
    put(cache)
    cache.close()
    assert (tmp_path / "here.sqlite").is_file()


def test_reading_writes_nothing(cache: Cache, path: Path) -> None:
    """Reading what was used lately leaves file and log as they are."""
    put(cache)
    files = [path, path.with_name(f"{path.name}-wal")]
    before = [file.read_bytes() for file in files]
    for _ in range(20):
        assert has(cache)
    assert cache.flush(20)
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize("max_bytes", [2**20, 5 * 2**20])
def test_the_newest_used_stay(path: Path, max_bytes: int) -> None:
    """Beyond its bound the store forgets what was used longest ago, and never grows beyond it."""
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


def test_a_use_is_noted_once_in_a_while(path: Path) -> None:
    """What was used lately needs no note; what was used long ago asks for one, until it has it."""
    now = 10**9
    store = SqliteStore(path, 2**30, ignore, clock=lambda: now)
    store.write([("key", b"value")], [])
    assert store.read(["key"]) == ([("key", b"value")], [])
    now += TOUCH_SECONDS + 1
    assert store.read(["key"]) == ([("key", b"value")], ["key"])
    store.write([], ["key"])
    assert store.read(["key"]) == ([("key", b"value")], [])
    store.close()


def test_it_stays_below_its_bound_while_others_read(path: Path) -> None:
    """Writing far more than fits, beside threads that read all the time, keeps to the bound."""
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
            with suppress(StoreError):  # readers may keep the log from being shortened: dropped
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


def test_a_smaller_bound_shrinks_the_file(path: Path) -> None:
    """A file from a time with more room is brought under the new bound, the newest used kept."""
    large = SqliteStore(path, 2**30, ignore, clock=lambda: 1)
    large.write([(f"{number}", os.urandom(10_000)) for number in range(1000)], [])
    large.close()
    small = SqliteStore(path, 4 * 2**20, ignore, clock=lambda: 2)
    small.write([("new", b"value")], [])
    small.write([], ["new"])
    small.close()
    assert path.stat().st_size <= 4 * 2**20
    assert small.read(["new", "999"])[0][-1][0] in {"new", "999"}
    assert len(small.read(["new", "0", "999"])[0]) == 2
    small.close()


def test_a_bound_too_small_for_anything(path: Path, events: Events) -> None:
    """Where nothing fits nothing is kept, and the bound holds."""
    cache = open_cache(f"sqlite:///{path}", max_bytes=100_000, observe=events.append)
    put(cache, b"x" * 90_000)
    assert not has(cache, b"x" * 90_000)
    cache.close()


@pytest.mark.usefixtures("soon")
def test_locked_for_writing(cache: Cache, path: Path, events: Events) -> None:
    """While another program writes for long, reading goes on and writes are dropped."""
    put(cache)
    with sqlite3.connect(path) as other:
        other.execute("BEGIN IMMEDIATE")
        put(cache, b"dropped")
        assert has(cache)
        assert not has(cache, b"dropped")
        assert cache.status().state == "warn"
        assert cache.status().message == "writing fails: OperationalError"
        assert "locked" in events.failures()[0].error
        other.execute("ROLLBACK")
    other.close()
    works_again(cache)


@pytest.mark.usefixtures("soon")
def test_locked_altogether(cache: Cache, path: Path, events: Events) -> None:
    """A file that another program keeps to itself is a miss, then works again."""
    put(cache)
    cache.close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
    other.execute("BEGIN EXCLUSIVE")
    cache = open_cache(f"sqlite:///{path}", observe=events.append)
    assert not has(cache)
    assert cache.get_listing("octocat") is None
    assert cache.status().message == "reading fails: OperationalError"
    other.close()
    works_again(cache)
    cache.close()


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("taken", ["file", "folder"])
def test_a_place_that_is_taken(cache: Cache, path: Path, taken: str, events: Events) -> None:
    """A folder in the file's place, or a file in the folder's, is a miss until it is gone."""
    if taken == "file":
        path.mkdir(parents=True)
    else:
        path.parent.write_bytes(b"")
    put(cache)
    assert not has(cache)
    assert cache.status().state == "warn"
    assert {failure.operation for failure in events.failures()} >= {"write", "get_contents"}
    assert all(str(path.parent) not in failure.error for failure in events.failures())
    assert str(path.parent) not in str(cache.status().message)
    if taken == "file":
        path.rmdir()
    else:
        path.parent.unlink()
    works_again(cache)


@pytest.mark.usefixtures("soon")
def test_the_status_mends_without_searches(cache: Cache, path: Path) -> None:
    """Asking for the status alone finds out that a store fails, and that it works again."""
    path.mkdir(parents=True)
    until(lambda: cache.status().state == "warn")
    path.rmdir()
    until(lambda: cache.status().state == "ok")


@pytest.mark.parametrize("damage", ["garbage", "truncated", "inside"])
@pytest.mark.usefixtures("soon")
def test_damaged_before_it_is_opened(path: Path, damage: str, events: Events) -> None:
    """A damaged file is thrown away, told once, and started anew."""
    _write_then_damage(path, damage)
    cache = open_cache(f"sqlite:///{path}", observe=events.append)
    has(cache)
    works_again(cache)
    thrown = [failure for failure in events.failures() if failure.operation == "open"]
    assert len(thrown) == 1
    cache.close()


def _write_then_damage(path: Path, damage: str) -> None:
    cache = open_cache(f"sqlite:///{path}")
    for number in range(50):
        put(cache, b"%d" % number * 1000)
    cache.close()
    whole = path.read_bytes()
    damaged = {
        "garbage": b"this is no database, " * 10_000,
        "truncated": whole[: len(whole) // 3],
        "inside": whole[:4096] + b"\xff" * (len(whole) - 4096),
    }
    path.write_bytes(damaged[damage])


@pytest.mark.usefixtures("soon")
def test_damaged_while_in_use(cache: Cache, path: Path, events: Events) -> None:
    """Pages overwritten under an open cache: never a wrong content, and then a new file."""
    contents = [b"%d" % number * 2000 for number in range(300)]
    for content in contents:
        cache.put_content(blob_of(content), content)
    assert cache.flush(20)
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    other.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))
    wanted: dict[str, int | None] = {blob_of(content): None for content in contents}
    until(lambda: not dict(cache.get_contents(wanted)))
    works_again(cache)
    assert "open" in {failure.operation for failure in events.failures()}


def test_flipped_bits_in_a_value(cache: Cache, path: Path, events: Events) -> None:
    """What SQLite can't notice, the content's own name and the listing's digest do."""
    put(cache)
    cache.put_listing("octocat", b"listing")
    assert cache.flush(20)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE body SET value = zeroblob(length(value))")
    other.close()
    assert not has(cache)
    assert cache.get_listing("octocat") is None
    assert [failure.operation for failure in events.failures()] == ["get_contents", "get_listing"]
    put(cache)
    assert has(cache)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("whole", [True, False])
def test_the_file_vanishes(cache: Cache, path: Path, events: Events, *, whole: bool) -> None:
    """A file deleted under an open cache, with or without its folder, is begun anew."""
    put(cache)
    if whole:
        shutil.rmtree(path.parent)
    else:
        path.unlink()
    assert not has(cache)
    works_again(cache)
    assert path.is_file()
    assert events.failures() == []


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("version", [SCHEMA_VERSION - 1, SCHEMA_VERSION + 1])
def test_another_version_is_thrown_away(path: Path, version: int, events: Events) -> None:
    """A file of an older or newer schema is never read, also while another process has it open."""
    old = _file_of_version(path, version)
    cache = open_cache(f"sqlite:///{path}", observe=events.append)
    assert not has(cache)
    put(cache)
    assert has(cache)
    assert len(events.failures()) == 1
    old.execute("INSERT INTO entry VALUES ('written to the old file')")
    assert len(old.execute("SELECT * FROM entry").fetchall()) == 2
    old.close()
    assert has(cache)
    put(cache, b"more")
    cache.close()
    again = open_cache(f"sqlite:///{path}", observe=events.append)
    assert has(again)
    assert has(again, b"more")
    assert len(events.failures()) == 1
    again.close()


def _file_of_version(path: Path, version: int) -> sqlite3.Connection:
    path.parent.mkdir()
    old = sqlite3.connect(path, isolation_level=None)
    old.execute("PRAGMA journal_mode = WAL").fetchone()
    old.execute("CREATE TABLE entry (misread)")
    old.execute("INSERT INTO entry VALUES ('old')")
    old.execute(f"PRAGMA user_version = {version}")
    return old


@pytest.mark.usefixtures("soon")
def test_two_versions_do_not_take_turns(cache: Cache, path: Path, events: Events) -> None:
    """A cache whose file a newer version took over goes on without, and leaves it alone."""
    put(cache)
    for file in path.parent.iterdir():
        file.unlink()
    path.parent.rmdir()
    newer = _file_of_version(path, SCHEMA_VERSION + 1)
    inode = path.stat().st_ino
    for _ in range(3):
        put(cache)
        assert not has(cache)
        threading.Event().wait(0.3)
    assert cache.status().state == "warn"
    assert path.stat().st_ino == inode
    assert newer.execute("SELECT * FROM entry").fetchall() == [("old",)]
    assert "VersionError" in events.failures()[-1].error
    newer.close()


CHILD = """
import os, resource, sys
from gistapi.cache import open_cache
from tests.cache.conftest import Events, blob_of
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


def test_a_full_disk(path: Path) -> None:
    """When no file may grow further, what was written stays readable and the rest is dropped."""
    with _child(path, "a", "full") as child:
        found, state, *operations = child.communicate(timeout=60)[0].split()
    assert child.returncode == 0
    assert 0 < int(found) < 300
    assert (state, operations) == ("warn", ["['write']"])


def test_read_only() -> None:
    """Where nothing may be written, reads are misses and writes are dropped."""
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


def test_several_processes_write_at_once(path: Path) -> None:
    """Processes that begin the file together and write at once lose and damage nothing."""
    names = ["a", "b", "c", "a"]
    children = [_child(path, name) for name in names]
    answers = [child.communicate(timeout=90)[0] for child in children]
    assert [child.returncode for child in children] == [0] * len(children)
    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (entries,) = file.execute("SELECT count(*) FROM entry").fetchone()
    file.close()
    assert entries <= 900
    assert all(answer.split()[1] in {"ok", "warn"} for answer in answers)
    assert entries >= 300
