"""Thousands of gists from a seed: small to hold, since each file is a stretch of one corpus."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from tests.fake_github.content import Content

_CORPUS_BYTES = 1 << 18
_WORDS = """
    alpha beta buffer bytes cache chunk client config count cursor data decode delta encode
    error event file filter flag format frame handle header index item iterate join key length
    line list load map match merge message name node number object offset open option order page
    parse path point print query queue read record request result return row search server set
    size socket sort source split start state stop store stream string table task text time
    token total tree type update user value view wait window word worker write zone
""".split()  # noqa: SIM905 - read as a text
_SUFFIXES = (".py", ".md", ".sh", ".js", ".txt", ".json", ".rb", ".conf-of-mine", "", ".go")


@dataclass(frozen=True)
class Stretch(Content):
    """A line of its own, which makes the file unlike all others, then a stretch of the corpus."""

    title: bytes
    offset: int
    total: int

    @property
    def size(self) -> int:
        """The length in bytes."""
        return self.total

    def read(self, start: int, stop: int) -> bytes:
        """Some of the bytes."""
        corpus = _corpus()
        text = bytearray(self.title)
        while len(text) < stop:
            at = (self.offset + len(text)) % len(corpus)
            text += corpus[at : at + stop - len(text)]
        return bytes(text[start:stop])


@dataclass(frozen=True, slots=True)
class GeneratedGist:
    """What one gist is made of."""

    id: str
    description: str
    files: tuple[tuple[str, Stretch], ...]


def gists(count: int, seed: int, files_per_gist: float, size_bytes: int) -> Iterator[GeneratedGist]:
    """Yield `count` gists; file counts and sizes spread evenly around their averages."""
    random_ = random.Random(seed)
    for number in range(count):
        files = []
        for index in range(_around(random_, files_per_gist)):
            title = b"# gist %d, file %d of seed %d\n" % (number, index, seed)
            size = max(len(title), round(random_.uniform(0, 2 * size_bytes)))
            suffix = random_.choice(_SUFFIXES)
            name = f"{random_.choice(_WORDS)}-{number}-{index}{suffix}"
            files.append((name, Stretch(title, random_.randrange(_CORPUS_BYTES), size)))
        digest = hashlib.md5(b"%d of %d" % (number, seed), usedforsecurity=False).hexdigest()
        words = " ".join(random_.choices(_WORDS, k=4))
        yield GeneratedGist(digest, words, tuple(files))


def _around(random_: random.Random, average: float) -> int:
    """A count from 1 to `2 * average - 1`, so that the mean is the average."""
    return max(1, round(random_.uniform(0.5, 2 * average - 0.5)))


@lru_cache(maxsize=1)
def _corpus() -> bytes:
    random_ = random.Random(0)
    lines = [" ".join(random_.choices(_WORDS, k=random_.randint(1, 12))) for _ in range(8000)]
    return "\n".join(lines).encode() + b"\n"
