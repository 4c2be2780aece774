"""Shared by the tests of reading by git."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gistapi.errors import IncompleteError
from gistapi.events import Observer, ignore
from gistapi.github.client import Client
from gistapi.github.git.clone import Clones
from gistapi.models import ClonedFile
from tests.fake_github import FakeGithub, Gist
from tests.github.asking import open_client, scope_of
from tests.waiting import HANG_SECONDS

LONG = 60.0
"""More seconds than any test here needs."""


def client(*hosts: str, observe: Observer = ignore) -> Client:
    """Make a client of these hosts, with a token that they must not receive."""
    return open_client(
        "http://127.0.0.1:9", *hosts, token="canary", timeout_seconds=60, observe=observe
    )


def url(github: FakeGithub, gist: Gist) -> str:
    """The address a gist is cloned from."""
    return f"{github.raw_url}/{gist.id}.git"


async def contents(
    clones: Clones, git_pull_url: str | None, seconds: float = LONG
) -> dict[str, bytes]:
    """Read all files, and check their sizes."""
    found = {}
    async with clones.files(git_pull_url, scope_of(seconds)) as files:
        async for file in files:
            found[file.name] = await whole(file)
            assert len(found[file.name]) == file.size_bytes
    return found


async def reason(clones: Clones, git_pull_url: str | None) -> str:
    """Clone a gist that cannot be read; returns the reason."""
    with pytest.raises(IncompleteError) as raised:
        await contents(clones, git_pull_url)
    return raised.value.reason


async def whole(file: ClonedFile) -> bytes:
    """Read the rest of a file's content."""
    return b"".join([chunk async for chunk in file.chunks])


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def child_of(parent: int) -> int:
    """Find the child process that reads a pack for `parent`; it may still be starting."""
    end = time.monotonic() + HANG_SECONDS
    while True:
        found = list(_children(parent))
        if len(found) == 1:
            return found[0]
        assert time.monotonic() < end, found


def _children(parent: int) -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            mine = f"PPid:\t{parent}\n" in (process / "status").read_text("utf-8")
            if mine and b"clone_child.py" in (process / "cmdline").read_bytes():
                yield int(process.name)
