"""What to search for: one pattern from `-e`, `-f` and PATTERN, and how it is meant."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from re import _constants as op  # type: ignore[attr-defined, unused-ignore]
from re import _parser  # type: ignore[attr-defined, unused-ignore]
from typing import Any

from gistapi.cli.linewise import LineEndError, linewise
from gistapi.errors import InvalidPatternError

_REFERENCE = re.compile(r"\\[1-9]|\(\?P=|\(\?\(")
_GLOBAL_FLAGS = re.compile(r"\(\?([aiLmsux]+)\)")


class PatternError(InvalidPatternError):
    """A pattern of several is faulty; `pattern` is that one."""

    def __init__(self, pattern: str, reason: str, position: int | None = None) -> None:
        super().__init__(reason, position)
        self.pattern = pattern


def combined(patterns: Sequence[str], *, fixed: bool, lines: bool) -> tuple[str, bool]:
    """One pattern that matches what any of them does, and whether it is literal text.

    `fixed`: they are literal text; `lines`: a match stays within a line.

    Raises:
        PatternError: one of them is not a regular expression, or they cannot be combined.
    """
    if fixed:
        for pattern in patterns:
            if lines and "\n" in pattern:
                raise PatternError(pattern, str(LineEndError(0)), pattern.index("\n"))
        if len(patterns) == 1:
            return patterns[0], True
        return "|".join(re.escape(pattern) for pattern in patterns), False
    ready = [_checked(pattern, lines=lines) for pattern in patterns]
    if len(ready) == 1:
        return ready[0], False
    _refuse_references(patterns)
    return "|".join(_alternative(pattern) for pattern in ready), False


def matches_empty(pattern: str, *, fixed: bool) -> bool:
    """Whether the pattern can match at an empty line."""
    if fixed:
        return not pattern
    try:
        return _compiled(pattern, re.MULTILINE).search("") is not None
    except (re.error, RecursionError, OverflowError):
        return False


def smart_case(patterns: Sequence[str], *, fixed: bool) -> bool:
    """Whether to ignore case: there is a letter, and no upper-case one, as ripgrep counts them."""
    text = "".join(patterns) if fixed else "".join(c for p in patterns for c in _literals(p))
    return bool(text) and not any(char.isupper() for char in text)


def _compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(pattern, flags)


def _checked(pattern: str, *, lines: bool) -> str:
    try:
        _compiled(pattern)
        return linewise(pattern) if lines else pattern
    except re.error as error:
        raise PatternError(pattern, error.msg, error.pos) from None
    except LineEndError as error:
        raise PatternError(pattern, str(error), error.position) from None
    except (RecursionError, OverflowError, MemoryError):
        return pattern  # the search says what is wrong with it


def _refuse_references(patterns: Sequence[str]) -> None:
    groups = 0
    for pattern in patterns:
        if groups and _REFERENCE.search(pattern):
            reason = "a pattern with references to groups cannot follow one with groups"
            raise PatternError(pattern, reason)
        groups += _compiled(pattern).groups


def _alternative(pattern: str) -> str:
    found = _GLOBAL_FLAGS.match(pattern)
    if found is None:
        return f"(?:{pattern})"
    end = "\n)" if "x" in found[1] else ")"  # not into a comment at the pattern's end
    return f"(?{found[1]}:{pattern[found.end() :]}{end}"


def _literals(pattern: str) -> Iterator[str]:
    """The literal characters of a pattern; those of a faulty one, as if it were text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        yield from pattern
        return
    todo: list[Any] = list(tree)
    while todo:
        node = todo.pop()
        if not isinstance(node, tuple | list | _parser.SubPattern):
            continue
        if isinstance(node, tuple) and node and node[0] in (op.LITERAL, op.NOT_LITERAL):
            yield chr(node[1])
        elif isinstance(node, tuple) and node and node[0] is op.RANGE:
            yield from map(chr, node[1])
        else:
            todo.extend(node)
