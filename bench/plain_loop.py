"""The simplest warm search: read all contents from SQLite in one query, `re.search` on each."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from bench.world import FILE_BYTES, FILES_PER_GIST
from tests.fake_github import generator


def store(login: str, gists: int, seed: int, path: Path) -> None:
    """Write the contents of a generated user's files to a database."""
    made = generator.gists(login, gists, seed, FILES_PER_GIST, FILE_BYTES)
    contents = ((b"".join(file.chunks()),) for gist in made for file in gist.files.values())
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE files (content BLOB)")
        database.executemany("INSERT INTO files VALUES (?)", contents)
        database.commit()


def seconds(path: Path, source: str) -> float:
    """Run one search; returns the seconds."""
    began = time.perf_counter()
    pattern = re.compile(source)
    with closing(sqlite3.connect(path)) as database:
        for (content,) in database.execute("SELECT content FROM files"):
            if pattern.search(content.decode("utf-8", "replace")):
                raise SystemExit("something matches")
    return time.perf_counter() - began
