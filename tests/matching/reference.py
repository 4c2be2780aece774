"""A reference implementation of the contract: the whole text at once, by Python's `re`."""

from __future__ import annotations

import itertools
import re
import warnings

from gistapi.matching import Wanted, worker
from gistapi.matching.pattern import CompiledPattern
from gistapi.models import Hit, Hits


def decode(content: bytes) -> str:
    """The text of a file."""
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return content.decode("utf-16", "replace")
    return content.decode("utf-8-sig", "replace")


def python_compile(pattern: str, flags: int) -> re.Pattern[str]:
    """`re.compile` without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(pattern, flags)


def hit(text: str, start: int, end: int, shown: int = 300, context: int = 0) -> Hit:
    """The match between two offsets of a text."""
    line_start = text.rfind("\n", 0, start) + 1
    last = end - 1 if text[start:end].endswith("\n") else end
    line_end = text.find("\n", last)
    line = text[line_start:] if line_end < 0 else text[line_start:line_end].removesuffix("\r")
    column = min(start - line_start, len(line))
    first = max(0, min(column - shown // 3, len(line) - shown))
    shown_line = line[first : first + shown]
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    lines[-1:] = [text.rpartition("\n")[2]] if text.rpartition("\n")[2] else []
    before, after = text.count("\n", 0, start), text.count("\n", 0, last) + 1
    return Hit(
        text.count("\n", 0, start) + 1,
        start - line_start + 1,
        text.count("\n", 0, end) + 1,
        end - text.rfind("\n", 0, end),
        shown_line,
        column - first,
        min(start - line_start + end - start - first, len(shown_line)),
        len(line) > shown,
        tuple(line[:shown] for line in lines[max(0, before - context) : before]),
        tuple(line[:shown] for line in lines[after : after + context]),
    )


def hits(text: str, found: list[tuple[int, int]], wanted: Wanted, shown: int = 300) -> Hits | None:
    """The hits of a text with these matches."""
    if not found:
        return None
    count = wanted.max_count or 1
    more = None if wanted.spans == 1 else len(found) > count
    return Hits(tuple(hit(text, *span, shown, wanted.context) for span in found[:count]), more)


def spans(pattern: re.Pattern[str], text: str, count: int = 1000) -> list[tuple[int, int]]:
    """The first matches of `re.finditer`, in characters."""
    return [found.span() for found in itertools.islice(pattern.finditer(text), count)]


def our_spans(compiled: CompiledPattern, text: str, count: int = 1000) -> list[tuple[int, int]]:
    """The same matches by the engine that gistapi chooses."""
    data = text.encode()
    engine = compiled.engine(is_ascii=data.isascii(), is_empty=not data, first=count == 1)
    search = worker.searcher(*engine.key)
    found = worker.found(search, data, (0, len(data), len(data) + 1, count, False))
    return [(_characters(data[:a]), _characters(data[:b])) for a, b in found]


def _characters(data: bytes) -> int:
    return len(data.decode(errors="replace"))  # a deliberate bug may cut a character
