"""Reads a git pack on standard input and writes the files of one commit to standard output.

A process of its own, because dulwich holds an object and its compressed form in memory: its limit
is set here. It imports nothing of ours, knows no network and opens no file. Names stay bytes.

Each file is framed as `FRAME` (length of the name, size), name, content.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import struct
import sys
from contextlib import suppress
from typing import BinaryIO, cast

from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.object_store import iter_tree_contents
from dulwich.objects import S_ISGITLINK, Commit, ObjectID, TreeEntry
from dulwich.pack import MemoryPackIndex, ObjectContainer, Pack, PackData

FRAME = struct.Struct(">IQ")
CACHE_BYTES = 1024 * 1024
"""Of delta bases: dulwich would keep 96 MiB."""
LOOK_SECONDS = 0.5
OUT_OF_MEMORY = 9
"""The exit status that says so."""


def write_files(pack_file: BinaryIO, head: str, out: BinaryIO) -> None:
    """Frame every blob that the tree of `head` names, subtrees' too; submodules have none.

    The pack is closed at the good end only: a buffer that a MemoryError still holds would turn
    that into another error.
    """
    data = PackData("pack", DEFAULT_OBJECT_FORMAT, pack_file, delta_base_cache_limit=CACHE_BYTES)
    pack = Pack.from_objects(data, MemoryPackIndex.for_pack(data))
    commit = pack[ObjectID(head.encode("ascii"))]
    if not isinstance(commit, Commit):
        raise TypeError("HEAD is no commit")
    store = cast(ObjectContainer, pack)  # which has all that is asked of a store here
    for entry in iter_tree_contents(store, commit.tree):
        if not S_ISGITLINK(entry.mode):
            _write_file(pack, entry, out)
    out.flush()
    pack.close()


def _write_file(pack: Pack, entry: TreeEntry, out: BinaryIO) -> None:
    """Frame one blob, and let go of it before the next is unpacked."""
    _, content = pack.get_raw(entry.sha)
    out.write(FRAME.pack(len(entry.path), len(content)))
    out.write(entry.path)
    out.write(content)


def limit_resources(max_memory_bytes: int) -> None:
    """Bound this process's memory, let it write no file and leave no core."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError):  # a lower limit holds already
        resource.setrlimit(resource.RLIMIT_AS, (max_memory_bytes, max_memory_bytes))


def end_with_reader(out: BinaryIO) -> None:
    """End this process soon after nobody reads `out` any more, whatever it is doing.

    By a timer: a thread that watched would take 72 MiB of the address space.
    """
    poll = select.poll()
    poll.register(out, 0)  # POLLERR, the end of the reader, is told unasked

    def look(signum: int, frame: object) -> None:
        del signum, frame
        if poll.poll(0):
            os._exit(1)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS, LOOK_SECONDS)


def main(head: str, max_memory_bytes: str) -> None:
    """Be that process."""
    limit_resources(int(max_memory_bytes))
    end_with_reader(sys.stdout.buffer)
    try:
        write_files(sys.stdin.buffer, head, sys.stdout.buffer)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except Exception:
        raise
    except BaseException:  # noqa: BLE001 - the panic of dulwich's Rust, which got no memory
        os._exit(OUT_OF_MEMORY)


if __name__ == "__main__":
    main(*sys.argv[1:])
