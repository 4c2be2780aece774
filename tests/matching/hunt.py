"""Search for patterns that cost too much: `python -m tests.matching.hunt [SECONDS [SEED]]`.

Prints the slowest compilation (processor time) and the slowest search (elapsed time), in seconds,
among random patterns of up to 1,000 characters that are built to be slow.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gistapi.errors import InvalidPatternError, PatternTimeoutError
from gistapi.matching import (
    CompiledPattern,
    Matcher,
    Matching,
    Wanted,
    checks,
    compile_pattern,
    pattern,
    worker,
)
from gistapi.models import Flags

ATOMS = [r"\w", r"\W", r"\D", r"\S", ".", "a", "b", "[ab]", "[^x]", r"[^\W_]", r"[\w-]", "é", "ſ"]
ATOMS += ["[α-ω]", "[^é]", "[\x80-\uffff]", "[\x00-\U0010ffff]", r"\b", "$", "^", "", r"[^\s\d]"]
QUANTIFIERS = ["*", "+", "?", "*?", "{2}", "{9}", "{99}", "{1000}", "{,9}", "{,999}", "{99,}"]
SHAPES = ["(?i:%s)", "(?=%s)", "(?!%s)", "(?>%s)", r"(%s)\1", "(?a:%s)", "(%s|b)", "(a|%s|)"]
SIZE = 1 << 20


def unit(dice: random.Random, depth: int) -> str:
    """A small pattern of this depth."""
    if depth == 0:
        return dice.choice(ATOMS)
    inner = unit(dice, depth - 1)
    if dice.random() < 0.4:
        return f"(?:{inner}){dice.choice(QUANTIFIERS)}"
    return inner + unit(dice, depth - 1) if dice.random() < 0.6 else dice.choice(SHAPES) % inner


def source(dice: random.Random, most: int = checks.MAX_CHARACTERS) -> str:
    """A pattern of up to `most` characters: one unit repeated, or many units."""
    one = unit(dice, dice.randint(0, 5))
    again = one * (most // max(1, len(one)))
    choice = "|".join([one] * (most // (len(one) + 1)))
    many = "".join(unit(dice, 3) for _ in range(40))
    return (dice.choice(["", "", "(?i)", "(?ai)"]) + dice.choice([again, again, choice, many]))[
        :most
    ]


def compile_one(dice: random.Random) -> tuple[float, str]:
    """Seconds to compile one pattern, by RE2 or by `re`, whichever took longer."""
    text = source(dice)
    flags = Flags(ignore_case=dice.random() < 0.5, word=dice.random() < 0.2)
    began = time.thread_time()
    compiled: CompiledPattern | None = None
    with suppress(InvalidPatternError):
        compiled = compile_pattern(text, flags)
    here = time.thread_time() - began
    if compiled is None or worker.RE not in {compiled.ascii.name, compiled.unicode.name}:
        return here, text
    began = time.thread_time()
    worker.searcher(*compiled.python.key)
    return max(here, time.thread_time() - began), text


async def scan(search: Matcher, content: bytes) -> None:
    """Scan a whole content, for its first match or for all of them."""
    with suppress(PatternTimeoutError):
        async with search.scanner() as scanner:
            _ = await scanner.feed(content) or await scanner.finish()


def search_one(
    dice: random.Random, matching: Matching, runner: asyncio.Runner
) -> tuple[float, str]:
    """Seconds to search a mebibyte, timeouts included."""
    text = source(dice, dice.choice([10, 30, 100]))
    content = bytes(dice.choices(dice.choice([b"a", b"ab", b"ab\n"]), k=SIZE))
    try:
        wanted = dice.choice([Wanted(), Wanted(max_count=1000)])
        search = matching.matcher(compile_pattern(text, Flags()), wanted)
    except InvalidPatternError:
        return 0.0, text
    began = time.monotonic()
    runner.run(scan(search, content))
    return time.monotonic() - began, text


def hunt(seconds: float, one: Callable[[], tuple[float, str]]) -> str:
    """The slowest pattern found in this time."""
    ends_at = time.monotonic() + seconds
    tried, slowest, of = 0, 0.0, ""
    while time.monotonic() < ends_at:
        spent, text = one()
        tried += 1
        if spent > slowest:
            slowest, of = spent, text
    return f"{slowest:.3f} s of {tried}: {of[:60]!r}"


def main(seconds: float = 60, seed: int = 1) -> None:
    """Print the results."""
    dice = random.Random(seed)
    pattern.warm()
    print("slowest compilation:", hunt(seconds / 2, lambda: compile_one(dice)))
    with asyncio.Runner() as runner:
        matching = Matching()
        runner.run(matching.start())
        print("slowest search:", hunt(seconds / 2, lambda: search_one(dice, matching, runner)))
        runner.run(matching.close())
    peak = Path("/proc/self/status").read_text("utf-8").partition("VmHWM:")[2].split()[0]
    print(f"most memory: {int(peak) >> 10} MiB, workers apart")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
