"""Checks a caller's pattern before it is compiled: its text, its depth, what it costs to parse."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Sequence
from re import _constants as op  # type: ignore[attr-defined, unused-ignore]

from gistapi.errors import InvalidPatternError
from gistapi.matching import match_bounds, worker
from gistapi.matching.charsets import Node
from gistapi.models import Flags

MAX_CHARACTERS = 1_000
MAX_DEPTH = 200
"""Of nested groups and repeats, so that neither `re` nor we run out of stack."""
MAX_IN_RANGES = 1_000_000
"""Characters in ranges of classes: `re` takes them one by one, some 100 ns each."""
MAX_PLAIN = 100
_PLAIN = re.compile(rf"[^\\\[\](){{}}*+?|]{{1,{MAX_PLAIN}}}")
"""Nothing but characters, `.`, `^` and `$`."""
_WARNINGS = threading.Lock()


def is_plain(pattern: str, flags: Flags) -> bool:
    """Whether a pattern is a short text: checking it takes some 0.1 ms, compiling it the same."""
    if flags.ignore_case or flags.word:
        return False
    return len(pattern) <= MAX_PLAIN if flags.fixed_string else bool(_PLAIN.fullmatch(pattern))


def checked(pattern: str, flags: Flags) -> tuple[str, worker.Tree]:
    """A pattern as `re` parses it, and its parse tree. Raises as `compile_pattern`."""
    _check_text(pattern)
    source = re.escape(pattern) if flags.fixed_string else pattern
    if is_plain(pattern, flags):  # nothing is nested, no class is large, the parser does not warn
        return source, worker.parse(source, _python_flags(flags), word=False)
    try:
        tree = _parse(source, _python_flags(flags), word=flags.word)
        _check_depth(tree, MAX_DEPTH)
        match_bounds.check_lookbehind(tree)
    except re.error as error:
        raise InvalidPatternError(error.msg, error.pos) from None
    except (OverflowError, ValueError) as error:
        raise InvalidPatternError(str(error)) from None
    if _in_ranges(tree) > MAX_IN_RANGES:
        raise InvalidPatternError("too costly: too many characters in ranges of classes")
    return source, tree


def _check_text(pattern: str) -> None:
    if not pattern:
        raise InvalidPatternError("empty pattern", 0)
    if len(pattern) > MAX_CHARACTERS:
        raise InvalidPatternError(f"longer than {MAX_CHARACTERS} characters", MAX_CHARACTERS)
    for position, character in enumerate(pattern):
        if "\ud800" <= character <= "\udfff":
            raise InvalidPatternError("a lone surrogate is not a character", position)


def _python_flags(flags: Flags) -> int:
    wanted = re.NOFLAG
    wanted |= re.IGNORECASE if flags.ignore_case else re.NOFLAG
    wanted |= re.MULTILINE if flags.multiline else re.NOFLAG
    wanted |= re.DOTALL if flags.dotall else re.NOFLAG
    return int(wanted)


def _parse(source: str, flags: int, *, word: bool) -> worker.Tree:
    # The parser warns of syntax that may change one day, which no caller could see. The filters are
    # the process's, so one thread at a time changes them.
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return worker.parse(source, flags, word=word)


def _check_depth(nodes: Sequence[Node], left: int) -> None:
    if left == 0:
        raise RecursionError
    for kind, argument in nodes:
        for body in match_bounds.children(kind, argument):
            _check_depth(body, left - 1)


def _in_ranges(nodes: Sequence[Node]) -> int:
    """How many characters `re` puts one by one into its tables when it compiles."""
    total = 0
    for kind, argument in nodes:
        if kind is op.IN:
            total += sum(_bmp_size(*v) for what, v in argument if what is op.RANGE)
        total += sum(_in_ranges(body) for body in match_bounds.children(kind, argument))
    return total


def _bmp_size(first: int, last: int) -> int:
    """The part of a range in the Basic Multilingual Plane, which is all that its tables hold."""
    return max(0, min(last, 0xFFFF) - first + 1)
