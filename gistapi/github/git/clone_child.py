"""Reads a git pack on standard input and writes the files of one commit to standard output.

A process of its own, because dulwich holds an object and its compressed form in memory: the
memory limit is set here. It imports nothing of ours, uses no network and opens no file. Names stay
bytes.

Each file is framed as `FRAME` (length of the name, size, blob SHA), name, content. After the last
file comes the frame `END`. A child that ends without it has an exit status that says why.
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

FRAME = struct.Struct(">IQ40s")
END = FRAME.pack(0xFFFFFFFF, 0, b"")
MAX_NAME_BYTES = 4096
"""Of a path in the tree: PATH_MAX of the systems that could have pushed it."""
CACHE_BYTES = 1024 * 1024
"""Of delta bases: dulwich would keep 96 MiB."""
LOOK_SECONDS = 0.5
UNREADABLE, OUT_OF_MEMORY, NAME_TOO_LONG, NOBODY_READS = 3, 4, 5, 6
"""Exit statuses; Python itself uses 1 and 2."""


class NameTooLongError(Exception):
    """The tree has a path that no system can have pushed."""


def write_files(pack_file: BinaryIO, head: str, out: BinaryIO) -> None:
    """Frame every blob that the tree of `head` names, subtrees' too; submodules have none.

    The pack is closed on success only: closing it while a MemoryError holds one of its buffers
    would raise another error.
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
    out.write(END)
    out.flush()
    pack.close()


def _write_file(pack: Pack, entry: TreeEntry, out: BinaryIO) -> None:
    """Frame one blob, and release it before the next is unpacked."""
    if len(entry.path) > MAX_NAME_BYTES:
        raise NameTooLongError
    _, content = pack.get_raw(entry.sha)
    out.write(FRAME.pack(len(entry.path), len(content), entry.sha))
    out.write(entry.path)
    out.write(content)


def limit_resources(max_memory_bytes: int) -> None:
    """Bound this process's memory, let it write no file and leave no core."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError):  # a lower limit holds already
        resource.setrlimit(resource.RLIMIT_AS, (max_memory_bytes, max_memory_bytes))


def end_with_reader(out: BinaryIO) -> None:
    """End this process soon after the reader of `out` is gone, whatever it is doing.

    By a timer: a thread that watches would take 72 MiB of the address space.
    """
    poll = select.poll()
    poll.register(out, 0)  # POLLERR, the end of the reader, is reported always

    def look(signum: int, frame: object) -> None:
        del signum, frame
        if poll.poll(0):
            os._exit(NOBODY_READS)
        signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, LOOK_SECONDS)


def main(head: str, max_memory_bytes: str) -> int:
    """Run the child process; returns its exit status."""
    limit_resources(int(max_memory_bytes))
    end_with_reader(sys.stdout.buffer)
    try:
        write_files(sys.stdin.buffer, head, sys.stdout.buffer)
    except MemoryError:
        return OUT_OF_MEMORY
    except NameTooLongError:
        return NAME_TOO_LONG
    except BrokenPipeError:
        return NOBODY_READS
    except Exception as error:  # noqa: BLE001 - a pack may break dulwich in any way
        print(f"{type(error).__name__}: {error}"[:1000], file=sys.stderr, flush=True)  # noqa: T201
        return UNREADABLE
    except BaseException:  # noqa: BLE001 - the panic of dulwich's Rust, which got no memory
        return OUT_OF_MEMORY
    return 0


if __name__ == "__main__":
    # Not sys.exit: while the interpreter shuts down, the timer's handler is gone, and the signal
    # would kill this process.
    os._exit(main(*sys.argv[1:]))
