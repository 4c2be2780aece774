"""From a pattern to an answer: exactly what `re.search` would say, in bounded time and memory.

`compile_pattern` checks a stranger's pattern; `Matching` belongs to the process, `Matcher` to a
search, `Scanner` to a file. What `re2` and `re` each do, and why: docs/decisions/matching.md.
"""

from gistapi.matching.engines import Matcher, Matching
from gistapi.matching.pattern import CompiledPattern, compile_pattern
from gistapi.matching.scanner import Scanner, Sizes

__all__ = ["CompiledPattern", "Matcher", "Matching", "Scanner", "Sizes", "compile_pattern"]
