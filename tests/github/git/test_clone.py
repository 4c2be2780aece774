"""Reading gists by git: files are read exactly, in bounded memory, and leave nothing behind."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.repo import Repo

from gistapi.errors import IncompleteError
from gistapi.github.git import clone, clone_child, reading
from gistapi.github.git.clone import Clones
from gistapi.github.git.clone_child import MAX_NAME_BYTES
from gistapi.github.git.fetch import fetch
from gistapi.github.raw import MAX_FILE_BYTES
from gistapi.models import ClonedFile
from tests.fake_github import FakeGithub, Fault, Literal, Repeated, Response
from tests.github.asking import on_loop, scope_of
from tests.github.git.cloning import child_of, client, contents, is_alive, reason, url, whole
from tests.github.git.git_server import serving
from tests.waiting import until

T = TypeVar("T")
LARGE = Repeated(b"0123456789abcdef" * 4 + b"\n", 12_000_000, {11_999_000: b"needle"})


@pytest.fixture
def clones(github: FakeGithub) -> Clones:
    """Return clones of the fake GitHub's gists."""
    return Clones(client(github.raw_host))


@pytest.fixture
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def large(github: FakeGithub) -> str:
    """Return the address of a gist whose child is still reading after the first chunk."""
    return url(github, github.add_user("o").add_gist({"large": LARGE, "more": "text"}))


def environment_of(pid: int) -> bytes:
    """The environment that a process was started with."""
    return Path(f"/proc/{pid}/environ").read_bytes()


def is_empty(folder: Path) -> bool:
    """Whether a folder is empty."""
    return not list(folder.iterdir())


@on_loop
async def test_every_file_of_a_large_gist_is_read(github: FakeGithub, clones: Clones) -> None:
    """All 450 files are read, file 437 with its needle too."""
    files = {f"file{n:03}.txt": f"text {n}" for n in range(1, 451)} | {"file437.txt": "needle"}
    found = await contents(clones, url(github, github.add_user("o").add_gist(files)))
    assert found == {name: text.encode() for name, text in files.items()}


@on_loop
async def test_names_are_data(github: FakeGithub, clones: Clones, tmp: Path) -> None:
    """Any name is reported, invalid UTF-8 replaced, and none is used as a path on the disk."""
    names = ["a b", "#1", "100%", "%2e%2e", "'\"`", "new\nline", "🐍", "..", "-rf", "a\\b", ".git"]
    files = dict.fromkeys([*names, "wrong\udcff"], "content")
    found = await contents(clones, url(github, github.add_user("o").add_gist(files)))
    assert set(found) == {*names, "wrong\ufffd"}
    assert is_empty(tmp)


@on_loop
async def test_contents_are_bytes(github: FakeGithub, clones: Clones) -> None:
    """Empty, binary, CRLF and UTF-16 files are not decoded, converted or dropped."""
    files = {
        "empty": b"",
        "binary": random.Random(1).randbytes(200_000),
        "crlf": b"a\r\nb\r",
        "utf-16": "text".encode("utf-16"),
        "null": b"\0" * 70_000,
    }
    assert await contents(clones, url(github, github.add_user("o").add_gist(files))) == files


@on_loop
async def test_a_large_file_is_read_in_chunks(clones: Clones, large: str) -> None:
    """12 MB are read whole, at most 64 KiB at a time."""
    digest = hashlib.sha1(b"blob %d\0" % LARGE.size, usedforsecurity=False)
    async with clones.files(large, scope_of()) as files:
        file = await anext(files)
        async for chunk in file.chunks:
            assert 0 < len(chunk) <= 65536
            digest.update(chunk)
    found = (file.name, file.size_bytes, digest.hexdigest())
    assert found == ("large", LARGE.size, LARGE.blob_sha)


@on_loop
async def test_unread_chunks_are_skipped(clones: Clones, large: str) -> None:
    """The next file starts at its beginning, even after a reader was closed."""
    async with clones.files(large, scope_of()) as files:
        first = await anext(files)
        await anext(first.chunks)
        await first.chunks.aclose()
        second = await anext(files)
        assert (second.name, await whole(second)) == ("more", b"text")
        assert await whole(first) == b""
        assert [file async for file in files] == []


@on_loop
async def test_stopping_early_ends_the_child(clones: Clones, large: str, tmp: Path) -> None:
    """After a match in the first file the child ends; temporary files have no name."""
    async with clones.files(large, scope_of()) as files:
        await anext((await anext(files)).chunks)
        child = child_of(os.getpid())
        assert is_alive(child)
        assert is_empty(tmp)
    assert not is_alive(child)


@on_loop
async def test_a_failing_reader_ends_the_child(clones: Clones, large: str) -> None:
    """A reader's error leaves no child, and the next clone can start."""
    child = 0
    with suppress(ZeroDivisionError):
        async with clones.files(large, scope_of()):
            child = child_of(os.getpid())
            raise ZeroDivisionError
    assert not is_alive(child)
    assert len(await contents(clones, large)) == 2


@on_loop
async def test_the_child_has_no_secrets(
    clones: Clones, large: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets nothing of the environment but the libraries' path, and cannot import our modules."""
    monkeypatch.setenv("GISTAPI_GITHUB_TOKEN", "canary")
    monkeypatch.setenv("HTTPS_PROXY", "http://canary@127.0.0.1:9")
    async with clones.files(large, scope_of()) as files:
        await anext(files)
        environment = environment_of(child_of(os.getpid()))
    variables = {line.partition(b"=")[0] for line in environment.split(b"\0") if line}
    assert variables <= {b"PYTHONPATH", b"LD_LIBRARY_PATH", b"LC_CTYPE"}
    assert b"canary" not in environment


async def after(event: asyncio.Semaphore, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task that has gone on from an event to where it waits next."""
    task = asyncio.create_task(work)
    await event.acquire()
    for _ in range(10):
        await asyncio.sleep(0)
    return task


@pytest.mark.parametrize(("large_bytes", "together"), [(1, 1), (2**30, 2)])
@on_loop
async def test_large_gists_are_read_one_at_a_time(
    clones: Clones, large: str, large_bytes: int, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another waits on the loop, also one that is cancelled, and has its turn afterwards."""
    fetched = asyncio.Semaphore(0)
    read = []

    async def fetching(*given: Any) -> str:
        head = await fetch(*given)
        fetched.release()
        return head

    @asynccontextmanager
    async def counting(*given: Any) -> AsyncIterator[AsyncGenerator[ClonedFile]]:
        read.append(given)
        async with reading.reading(*given) as files:
            yield files

    monkeypatch.setattr(clone, "LARGE_PACK_BYTES", large_bytes)
    monkeypatch.setattr(clone, "fetch", fetching)
    monkeypatch.setattr(clone, "reading", counting)
    async with clones.files(large, scope_of()):
        await fetched.acquire()
        cancelled = await after(fetched, contents(clones, large))
        assert len(read) == together
        cancelled.cancel()
        await asyncio.wait([cancelled])
        waiting = await after(fetched, contents(clones, large))
    assert len(await waiting) == 2


@on_loop
async def test_cancelling_kills_the_child(clones: Clones, large: str) -> None:
    """Cancelling a task that waits for a stopped child kills the child."""
    stopped = asyncio.Event()
    children: list[int] = []

    async def read() -> None:
        async with clones.files(large, scope_of()) as files:
            file = await anext(files)
            children.append(child_of(os.getpid()))
            os.kill(children[0], signal.SIGSTOP)
            stopped.set()
            await whole(file)

    task = asyncio.create_task(read())
    await stopped.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_alive(children[0])


@on_loop
async def test_a_stopped_child_is_given_up(
    clones: Clones, large: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This costs the gist, not the search."""
    async with clones.files(large, scope_of()) as files:
        file = await anext(files)
        monkeypatch.setattr(reading, "STALL_SECONDS", 0.2)
        child = child_of(os.getpid())
        os.kill(child, signal.SIGSTOP)
        with pytest.raises(IncompleteError, match="takes too long") as raised:
            await whole(file)
    assert raised.value.reason == "file_unavailable"
    assert not is_alive(child)


@on_loop
async def test_a_file_beyond_the_memory_is_too_large(github: FakeGithub) -> None:
    """The child's memory is limited."""
    clones = Clones(client(github.raw_host), max_memory_bytes=96 * 2**20)
    zeros = Repeated(b"\0", 64_000_000)
    address = url(github, github.add_user("o").add_gist({"small": "text", "zeros": zeros}))
    assert await reason(clones, address) == "file_too_large"


@on_loop
async def test_a_killed_child_is_no_end(clones: Clones, large: str) -> None:
    """When a signal kills the child in the middle of a file, the content is not taken as complete.

    The signal is not interpreted as lack of memory either.
    """
    async with clones.files(large, scope_of()) as files:
        file = await anext(files)
        os.kill(child_of(os.getpid()), signal.SIGKILL)
        with pytest.raises(IncompleteError, match="ended early") as raised:
            await whole(file)
        assert raised.value.reason == "file_unavailable"
        assert "status -9" in str(raised.value.__cause__)


@on_loop
async def test_the_childs_timer_does_not_interrupt_its_exit(
    clones: Clones, github: FakeGithub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A timer that fires all the time never kills a child that is about to exit."""
    restless = tmp_path / "restless.py"
    source = inspect.getsource(clone_child)
    assert "LOOK_SECONDS = 0.5" in source
    restless.write_text(source.replace("LOOK_SECONDS = 0.5", "LOOK_SECONDS = 0.00005"))
    monkeypatch.setattr(reading, "CHILD", restless)
    address = url(github, github.add_user("o").add_gist({"a": "text"}))
    for _ in range(5):
        assert await contents(clones, address) == {"a": b"text"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", str(restless), "0" * 40, str(2**29), stdin=-3, stdout=-1, stderr=-1
    )
    out, words = await process.communicate()
    assert (out, process.returncode) == (b"", clone_child.UNREADABLE)
    assert words


@on_loop
async def test_the_limit_of_a_files_size_applies_to_git(github: FakeGithub, clones: Clones) -> None:
    """A file over 100 MiB is incomplete, and the next one is still read."""
    huge = Repeated(b"\0" * 65536, MAX_FILE_BYTES + 1)
    gist = github.add_user("o").add_gist({"huge": huge, "next": "text"})
    async with clones.files(url(github, gist), scope_of()) as files:
        file = await anext(files)
        with pytest.raises(IncompleteError) as raised:
            await whole(file)
        assert raised.value.reason == "file_too_large"
        following = await anext(files)
        assert (following.name, await whole(following)) == ("next", b"text")


@on_loop
async def test_a_name_of_megabytes_is_a_gap(github: FakeGithub, clones: Clones) -> None:
    """It is neither stored nor reported."""
    names = {"a" * MAX_NAME_BYTES: "text"}
    user = github.add_user("o")
    assert len(await contents(clones, url(github, user.add_gist(names)))) == 1
    names = {"b" * (3 * 2**20): "text"}
    with pytest.raises(IncompleteError, match="name is too long") as raised:
        await contents(clones, url(github, user.add_gist(names)))
    assert raised.value.reason == "file_unavailable"
    assert len(str(raised.value)) < 200


def packet(data: bytes) -> bytes:
    """Frame data as a pkt-line."""
    return b"%04x" % (len(data) + 4) + data


@on_loop
async def test_an_invalid_pack_is_a_gap(github: FakeGithub, clones: Clones) -> None:
    """Anything that dulwich can't read as a pack is reported."""
    gist = github.add_user("o").add_gist({"a": "text"})
    body = b"0000" + packet(b"NAK\n") + packet(b"\1PACK" + b"\0" * 100) + b"0000"
    headers = {"Content-Type": "application/x-git-upload-pack-result"}
    answer = Response(200, headers, Literal(body))
    github.faults.inject(Fault(answer=answer), path=lambda request: request.method == "POST")
    assert await reason(clones, url(github, gist)) == "file_unavailable"


@on_loop
async def test_no_writable_folder_is_needed(
    github: FakeGithub, clones: Clones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a folder for temporary files the pack is kept in memory."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    gist = github.add_user("o").add_gist({"a": "text"})
    assert await contents(clones, url(github, gist)) == {"a": b"text"}


PARENT = """
import sys, time
from gistapi.github.git.clone import Clones
from tests.github.asking import on_loop, scope_of
from tests.github.git.cloning import client
host, address = sys.argv[1:]

@on_loop
async def main():
    async with Clones(client(host)).files(address, scope_of()) as files:
        await anext(files)
        print("ready", flush=True)
        time.sleep(60)

main()
"""


def test_a_killed_parent_leaves_no_child(github: FakeGithub, large: str, tmp_path: Path) -> None:
    """The child ends with the process that reads from it, and the pack is removed."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", PARENT, github.raw_host, large]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=root) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        child = child_of(parent.pid)
        parent.kill()
    until(lambda: not is_alive(child))
    assert not list(tmp_path.iterdir())


def commit_of(tree: Tree) -> Commit:
    """Build a commit of a tree."""
    commit = Commit()
    commit.tree = tree.id
    commit.author = commit.committer = b"A <a@example.com>"
    commit.author_time = commit.commit_time = 0
    commit.author_timezone = commit.commit_timezone = 0
    commit.message = b"message"
    return commit


def odd_repository(path: Path) -> None:
    """Make a bare repository with two commits, a subtree, a symlink and a submodule."""
    repository: Any = Repo.init_bare(str(path), mkdir=True)
    store = repository.object_store
    blobs = {text: Blob.from_string(text) for text in (b"top", b"below", b"top/file", b"old")}
    below, tree, old_tree = Tree(), Tree(), Tree()
    below.add(b"caf\xe9", 0o100755, blobs[b"below"].id)
    tree.add(b"dir", 0o040000, below.id)
    tree.add(b"file", 0o100644, blobs[b"top"].id)
    tree.add(b"link", 0o120000, blobs[b"top/file"].id)
    tree.add(b"module", 0o160000, ObjectID(b"1" * 40))
    old_tree.add(b"old", 0o100644, blobs[b"old"].id)
    old, new = commit_of(old_tree), commit_of(tree)
    new.parents = [old.id]
    for thing in (*blobs.values(), below, tree, old_tree, old, new):
        store.add_object(thing)
    repository.refs[b"refs/heads/other"] = old.id
    repository.refs[b"refs/heads/trunk"] = new.id
    repository.refs.set_symbolic_ref(b"HEAD", b"refs/heads/trunk")
    repository.close()


@on_loop
async def test_gits_own_server_can_be_read(tmp_path: Path) -> None:
    """With protocol v2, HEAD's files are read: subtrees by path, links as text, no submodules."""
    odd_repository(tmp_path / "odd.git")
    with serving(tmp_path) as git:
        found = await contents(Clones(client(git.host)), f"http://{git.host}/odd.git")
    assert git.protocols == ["version=2"] * 3
    assert found == {"dir/caf\ufffd": b"below", "file": b"top", "link": b"top/file"}


@on_loop
async def test_an_empty_repository_of_gits_own_server(tmp_path: Path) -> None:
    """Without a commit there are no files."""
    Repo.init_bare(str(tmp_path / "empty.git"), mkdir=True).close()
    with serving(tmp_path) as git:
        assert await contents(Clones(client(git.host)), f"http://{git.host}/empty.git") == {}
