"""Thousands of gists from a seed; all files are slices of one corpus, which saves memory."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from tests.fake_github.content import Content, Repeated

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


@dataclass(frozen=True, slots=True)
class GeneratedGist:
    """The parts of one gist."""

    id: str
    description: str
    files: dict[str, Content]


def gists(
    login: str, count: int, seed: int, files_per_gist: float, size_bytes: int
) -> Iterator[GeneratedGist]:
    """Yield `count` gists; numbers and sizes of files spread evenly around their averages.

    Names and contents depend on the seed alone, ids on the login too.
    """
    random_ = random.Random(seed)
    for number in range(count):
        files: dict[str, Content] = {}
        for index in range(_around(random_, files_per_gist)):
            name = f"{random_.choice(_WORDS)}-{number}-{index}{random_.choice(_SUFFIXES)}"
            # a unique line makes each file different from all others
            title = b"# gist %d, file %d of seed %d\n" % (number, index, seed)
            size = max(len(title), round(random_.uniform(0, 2 * size_bytes)))
            files[name] = Repeated(_corpus(), size, {0: title}, random_.randrange(_CORPUS_BYTES))
        name = f"{login.lower()} {seed} {number}"
        digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        yield GeneratedGist(digest, " ".join(random_.choices(_WORDS, k=4)), files)


def _around(random_: random.Random, average: float) -> int:
    """A count from 1 to `2 * average - 1`, so that the mean is the average."""
    return max(1, round(random_.uniform(0.5, 2 * average - 0.5)))


@lru_cache(maxsize=1)
def _corpus() -> bytes:
    random_ = random.Random(0)
    lines = [" ".join(random_.choices(_WORDS, k=random_.randint(1, 12))) for _ in range(8000)]
    return "\n".join(lines).encode() + b"\n"
