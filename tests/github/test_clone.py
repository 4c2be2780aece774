"""Reading gists by git: every file as it is, in bounded memory, and nothing left behind."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.pack import write_pack_objects
from dulwich.repo import Repo

from gistapi.deadline import Deadline
from gistapi.errors import CancelledError, DeadlineError, GapError
from gistapi.github.clone import ClonedFiles, Clones
from gistapi.github.clone_child import FRAME, write_files
from gistapi.github.files import MAX_FILE_BYTES
from tests.fake_github import FakeGithub, Fault, Literal, Repeated, Response
from tests.github.cloning import child_of, client, contents, is_alive, url
from tests.github.git_server import serving
from tests.waiting import until

LARGE = Repeated(b"0123456789abcdef" * 4 + b"\n", 12_000_000, {11_999_000: b"needle"})


@pytest.fixture
def clones(github: FakeGithub) -> Clones:
    """Give clones that may ask the fake GitHub."""
    return Clones(client(github.raw_host))


@pytest.fixture
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder where temporary files go."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def large(github: FakeGithub) -> str:
    """Give the address of a gist that its reader has not read when it sees the first chunk."""
    return url(github, github.add_user("o").add_gist({"large": LARGE, "more": "text"}))


def test_every_file_of_a_large_gist_is_read(github: FakeGithub, clones: Clones) -> None:
    """Of 450 files all come, file 437 with its needle too."""
    files = {f"file{n:03}.txt": f"text {n}" for n in range(1, 451)} | {"file437.txt": "needle"}
    found = contents(clones, url(github, github.add_user("o").add_gist(files)))
    assert found == {name: text.encode() for name, text in files.items()}


def test_names_are_data(github: FakeGithub, clones: Clones, tmp: Path) -> None:
    """Any name is told as it is, wrong bytes replaced, and none touches the disk."""
    names = ["a b", "#1", "100%", "%2e%2e", "'\"`", "new\nline", "🐍", "..", "-rf", "a\\b", ".git"]
    files = dict.fromkeys([*names, "wrong\udcff"], "content")
    found = contents(clones, url(github, github.add_user("o").add_gist(files)))
    assert set(found) == {*names, "wrong\ufffd"}
    assert not list(tmp.iterdir())


def test_contents_are_bytes(github: FakeGithub, clones: Clones) -> None:
    """Nothing is decoded, converted or dropped: empty, binary, CRLF, UTF-16."""
    files = {
        "empty": b"",
        "binary": random.Random(1).randbytes(200_000),
        "crlf": b"a\r\nb\r",
        "utf-16": "text".encode("utf-16"),
        "null": b"\0" * 70_000,
    }
    assert contents(clones, url(github, github.add_user("o").add_gist(files))) == files


def test_a_large_file_comes_in_chunks(clones: Clones, large: str) -> None:
    """12 MB come whole, at most 64 KiB at once."""
    digest = hashlib.sha1(b"blob %d\0" % LARGE.size, usedforsecurity=False)
    with clones.files(large, Deadline(60)) as files:
        name, size, chunks = next(files)
        for chunk in chunks:
            assert 0 < len(chunk) <= 65536
            digest.update(chunk)
    assert (name, size, digest.hexdigest()) == ("large", LARGE.size, LARGE.blob_sha)


def test_chunks_that_are_not_taken_are_skipped(clones: Clones, large: str) -> None:
    """The next file begins at its own beginning, also after a reader was closed."""
    with clones.files(large, Deadline(60)) as files:
        _, _, chunks = next(files)
        next(chunks)
        chunks.close()  # type: ignore[attr-defined]
        name, _, following = next(files)
        assert (name, b"".join(following)) == ("more", b"text")
        assert list(chunks) == []
        assert list(files) == []


def test_leaving_early_ends_the_child(clones: Clones, large: str, tmp: Path) -> None:
    """A match in the first file is enough: the child ends, and no file had a name."""
    with clones.files(large, Deadline(60)) as files:
        next(next(files)[2])
        child = child_of(os.getpid())
        assert is_alive(child)
        assert not list(tmp.iterdir())
    assert not is_alive(child)


def test_a_failing_reader_ends_the_child(clones: Clones, large: str) -> None:
    """An error of who reads leaves no child, and the next clone has its turn."""
    child = 0
    with suppress(ZeroDivisionError), clones.files(large, Deadline(60)):
        child = child_of(os.getpid())
        raise ZeroDivisionError
    assert not is_alive(child)
    assert len(contents(clones, large)) == 2


def test_the_child_knows_nothing(
    clones: Clones, large: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees none of the environment, only where the libraries are, and not our modules."""
    monkeypatch.setenv("GISTAPI_GITHUB_TOKEN", "canary")
    monkeypatch.setenv("HTTPS_PROXY", "http://canary@127.0.0.1:9")
    with clones.files(large, Deadline(60)) as files:
        next(files)
        environment = Path(f"/proc/{child_of(os.getpid())}/environ").read_bytes()
    variables = {line.partition(b"=")[0] for line in environment.split(b"\0") if line}
    assert variables <= {b"PYTHONPATH", b"LD_LIBRARY_PATH", b"LC_CTYPE"}
    assert b"canary" not in environment


def test_one_is_read_at_a_time(clones: Clones, large: str) -> None:
    """Another waits under its own deadline, and has its turn afterwards."""
    with clones.files(large, Deadline(60)):
        with pytest.raises(DeadlineError):
            contents(clones, large, seconds=0.3)
        waiting = Deadline(3600)
        timer = threading.Timer(0.3, waiting.cancel)
        timer.start()
        with pytest.raises(CancelledError), clones.files(large, waiting):
            pass
        timer.join()
    assert len(contents(clones, large)) == 2


def test_the_deadline_ends_the_reading(clones: Clones, large: str) -> None:
    """A child that stands still is waited for until the deadline, then killed."""
    deadline = Deadline(60)
    with clones.files(large, deadline) as files:
        child = child_of(os.getpid())
        os.kill(child, signal.SIGSTOP)
        deadline.ends_at = time.monotonic() + 0.5
        with pytest.raises(DeadlineError):
            read_all(files)
    assert not is_alive(child)


def test_cancelling_ends_the_reading(clones: Clones, large: str) -> None:
    """Called off from another thread, it ends long before its deadline."""
    deadline = Deadline(3600)
    timer = threading.Timer(0.3, deadline.cancel)
    with clones.files(large, deadline) as files:
        child = child_of(os.getpid())
        os.kill(child, signal.SIGSTOP)
        timer.start()
        with pytest.raises(CancelledError):
            read_all(files)
    assert not is_alive(child)


def read_all(files: ClonedFiles) -> None:
    """Take every chunk."""
    for _, _, chunks in files:
        for _ in chunks:
            pass


def gap(clones: Clones, address: str) -> str:
    """Read in vain, and tell why."""
    with pytest.raises(GapError) as raised:
        contents(clones, address)
    return raised.value.reason


def test_a_file_beyond_the_memory_is_too_large(github: FakeGithub) -> None:
    """The child has so much memory and no more."""
    clones = Clones(client(github.raw_host), max_memory_bytes=96 * 2**20)
    zeros = Repeated(b"\0", 64_000_000)
    address = url(github, github.add_user("o").add_gist({"small": "text", "zeros": zeros}))
    assert gap(clones, address) == "file_too_large"


def test_a_killed_child_is_no_end(clones: Clones, large: str) -> None:
    """When the system takes the child in the middle of a file, nothing passes as complete."""
    with clones.files(large, Deadline(60)) as files:
        _, _, chunks = next(files)
        os.kill(child_of(os.getpid()), signal.SIGKILL)
        for rest in (chunks, files):
            with pytest.raises(GapError) as raised:
                list(rest)
            assert raised.value.reason == "file_too_large"


def test_no_more_of_a_file_is_read_than_of_any_other(github: FakeGithub, clones: Clones) -> None:
    """After 100 MiB without a match a file is a gap, and the next one is read all the same."""
    huge = Repeated(b"\0" * 65536, MAX_FILE_BYTES + 1)
    gist = github.add_user("o").add_gist({"huge": huge, "next": "text"})
    with clones.files(url(github, gist), Deadline(60)) as files:
        _, _, chunks = next(files)
        with pytest.raises(GapError) as raised:
            for _ in chunks:
                pass
        assert raised.value.reason == "file_too_large"
        name, _, following = next(files)
        assert (name, b"".join(following)) == ("next", b"text")


def packet(data: bytes) -> bytes:
    """Frame a pkt-line."""
    return b"%04x" % (len(data) + 4) + data


def test_a_pack_that_is_none_is_a_gap(github: FakeGithub, clones: Clones) -> None:
    """What dulwich can't read as a pack is said, whatever it is."""
    gist = github.add_user("o").add_gist({"a": "text"})
    body = b"0000" + packet(b"NAK\n") + packet(b"\1PACK" + b"\0" * 100) + b"0000"
    headers = {"Content-Type": "application/x-git-upload-pack-result"}
    answer = Response(200, headers, Literal(body))
    github.faults.inject(Fault(answer=answer), path=lambda request: request.method == "POST")
    assert gap(clones, url(github, gist)) == "file_unavailable"


def test_nothing_need_be_writable(
    github: FakeGithub, clones: Clones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a place for temporary files the pack is kept in memory."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    gist = github.add_user("o").add_gist({"a": "text"})
    assert contents(clones, url(github, gist)) == {"a": b"text"}


PARENT = """
import sys, time
from gistapi.deadline import Deadline
from gistapi.github.clone import Clones
from tests.github.cloning import client
host, address = sys.argv[1:]
with Clones(client(host)).files(address, Deadline(60)) as files:
    next(files)
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_killed_parent_leaves_nothing(github: FakeGithub, large: str, tmp_path: Path) -> None:
    """The child ends with the process that reads from it, and the pack with both."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", PARENT, github.raw_host, large]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=root) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        child = child_of(parent.pid)
        parent.kill()
    until(lambda: not is_alive(child))
    assert not list(tmp_path.iterdir())


def commit_of(tree: Tree) -> Commit:
    """Commit a tree."""
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


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_gits_own_server_is_understood(tmp_path: Path) -> None:
    """By protocol v2 HEAD's files come: subtrees by their path, links as text, no submodules."""
    odd_repository(tmp_path / "odd.git")
    with serving(tmp_path) as git:
        found = contents(Clones(client(git.host)), f"http://{git.host}/odd.git")
    assert git.protocols == ["version=2"] * 3
    assert found == {"dir/caf\ufffd": b"below", "file": b"top", "link": b"top/file"}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_an_empty_repository_of_gits_own_server(tmp_path: Path) -> None:
    """Without a commit there are no files."""
    Repo.init_bare(str(tmp_path / "empty.git"), mkdir=True).close()
    with serving(tmp_path) as git:
        assert contents(Clones(client(git.host)), f"http://{git.host}/empty.git") == {}


def test_the_frame_of_a_file(tmp_path: Path) -> None:
    """The child writes the length of the name, the size, the name and the content."""
    odd_repository(tmp_path / "odd.git")
    with Repo(str(tmp_path / "odd.git")) as repository:
        head = repository.head()
        pack, written = BytesIO(), BytesIO()
        objects = [repository[sha] for sha in repository.object_store]
        write_pack_objects(pack, objects, object_format=DEFAULT_OBJECT_FORMAT)
    pack.seek(0)
    write_files(pack, head.decode("ascii"), written)
    expected = [(b"dir/caf\xe9", b"below"), (b"file", b"top"), (b"link", b"top/file")]
    assert written.getvalue() == b"".join(
        FRAME.pack(len(name), len(content)) + name + content for name, content in expected
    )
