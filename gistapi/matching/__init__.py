"""Finds the matches of a pattern, exactly those of `re.finditer`, in bounded time and memory.

`compile_pattern` checks a caller's pattern; `Matching` belongs to the process, `Matcher` to a
search, `Scanner` to a file. docs/decisions/matching.md says which engine searches what. May import
`errors`, `models`, `events` and `aio`.
"""

from gistapi.matching.checks import is_plain
from gistapi.matching.engines import Matching
from gistapi.matching.matcher import Matcher
from gistapi.matching.pattern import CompiledPattern, compile_pattern
from gistapi.matching.scanner import Scanner
from gistapi.matching.wanted import Wanted
from gistapi.matching.window import Sizes

__all__ = [
    "CompiledPattern",
    "Matcher",
    "Matching",
    "Scanner",
    "Sizes",
    "Wanted",
    "compile_pattern",
    "is_plain",
]
