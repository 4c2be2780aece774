"""What the contract says, in the plainest words: the whole text at once, by Python's own `re`."""

from __future__ import annotations

import re
import warnings

from gistapi.matching.pattern import CompiledPattern
from gistapi.matching.worker import searcher
from gistapi.models import Hit


def decode(content: bytes) -> str:
    """The text of a file."""
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return content.decode("utf-16", "replace")
    return content.decode("utf-8", "replace")


def python_compile(pattern: str, flags: int) -> re.Pattern[str]:
    """`re.compile` without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(pattern, flags)


def hit(text: str, start: int, shown: int = 300) -> Hit:
    """Where in a text a match begins."""
    before = text[:start]
    line_start = before.rfind("\n") + 1
    end = text.find("\n", start)
    line = text[line_start:] if end < 0 else text[line_start:end].removesuffix("\r")
    column = start - line_start
    if len(line) > shown:
        first = max(0, min(column - shown // 3, len(line) - shown))
        line = line[first : first + shown]
    return Hit(before.count("\n") + 1, column + 1, line)


def our_start(compiled: CompiledPattern, text: str) -> int | None:
    """Where we say that the first match begins, counted in characters; by the engine we choose."""
    data = text.encode()
    engine = compiled.engine(is_ascii=data.isascii(), is_empty=not data)
    answer = searcher(engine.name, engine.source, engine.flags, engine.word)(data, 0, len(data))
    if answer is None:
        return None
    assert not isinstance(answer, str)
    return len(data[: answer[0]].decode(errors="replace"))


def python_start(compiled: re.Pattern[str], text: str) -> int | None:
    """Where `re` says that it begins."""
    found = compiled.search(text)
    return None if found is None else found.start()
