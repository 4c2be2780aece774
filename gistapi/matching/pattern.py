"""Measures a caller's pattern, and compiles it for the engines that can match it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from re import _constants as op  # type: ignore[attr-defined, unused-ignore]
from typing import Any, Literal

from gistapi.errors import InvalidPatternError
from gistapi.matching import (
    charsets,
    checks,
    empty_matches,
    match_bounds,
    required_literal,
    translate,
    worker,
)
from gistapi.matching.charsets import Node, Op
from gistapi.models import Flags

MAX_BEHIND = 100_000
"""Characters of lookbehind that fit beside a window."""
MAX_MARKS = 32
"""Places in a pattern after which RE2 consumes text that Python only looks at."""

MAX_SKIMMED_BYTES = 16 << 10
"""Up to this size, searching for a literal costs less than calling RE2."""

_REPLACEMENT = "\ufffd".encode()


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine with a pattern: RE2 with its own syntax, or `re` with Python's.

    `compiled`, `marked` (None without marks) and `program_size` (instructions) are RE2's; a worker
    compiles for itself from `source`, `flags` and `word`.
    """

    name: Literal["re", "re2"]
    source: str
    flags: int = 0
    word: bool = False
    compiled: Any = None
    marked: Any = None
    program_size: int = 0

    @property
    def key(self) -> tuple[str, str, bool, int, bool]:
        """What `worker.searcher` compiles it from."""
        return self.name, self.source, self.marked is not None, self.flags, self.word

    def cost(self, size_bytes: int) -> int:
        """Instructions times bytes, which bound RE2's work: some 12 ns each at worst."""
        return self.program_size * size_bytes

    def spans(
        self,
        text: bytes | bytearray,
        start: int,
        end: int,
        after_empty: bool = False,  # noqa: FBT001, FBT002
    ) -> Iterator[worker.Span]:
        """RE2's matches, as `worker.spans_re2` describes them."""
        return worker.spans_re2(self.compiled, self.marked, text, start, end, after_empty)

    def first(self, text: bytes | bytearray, start: int, end: int) -> worker.Span | None:
        """The first of `spans`, in less time."""
        found = self.compiled.search(text, start, end)
        if found is None:
            return None
        if self.marked is None:
            return found.span()  # type: ignore[no-any-return]
        return worker.marked_span(self.marked, text, found, end)


@dataclass(frozen=True)
class CompiledPattern:
    """A pattern that is valid. Immutable; usable by any number of threads.

    `flags` are those of `re`, the pattern's own global ones included; `match_bounds` says how
    much text decides about a match.
    """

    source: str
    flags: int
    word: bool
    tree: Any = field(repr=False, compare=False)
    match_bounds: match_bounds.Extent = field(compare=False)

    @cached_property
    def python(self) -> Engine:
        """Python's own `re`, which supports every pattern."""
        return Engine("re", self.source, int(self.flags & ~re.UNICODE), self.word)

    @cached_property
    def ascii(self) -> Engine:
        """The engine for a text that is pure ASCII."""
        return self._engine(ascii_only=True)

    @cached_property
    def unicode(self) -> Engine:
        """The engine for any text."""
        engine = self._engine(ascii_only=False)
        same = (engine.name, engine.source) == (self.ascii.name, self.ascii.source)
        return self.ascii if same else engine

    @cached_property
    def prefilter(self) -> Engine | None:
        """RE2 with a looser pattern: a text that does not match it does not match this one either.

        None if there is no such pattern for RE2.
        """
        engine = self._engine(ascii_only=False, loose=True)
        return engine if engine.name == worker.RE2 else None

    @cached_property
    def literal(self) -> bytes:
        """The required literal of every match; empty where none is known."""
        return required_literal.required(self.tree, self.flags)

    @cached_property
    def raw_literal(self) -> bytes:
        """The required literal if a file that lacks it cannot have it once decoded, else empty.

        Decoding turns bytes that are not UTF-8 into U+FFFD, and changes all others in UTF-16 alone.
        """
        return b"" if _REPLACEMENT in self.literal else self.literal

    @cached_property
    def skimmed_bytes(self) -> int:
        """The size up to which a text is searched for the required literal.

        RE2 by itself is as fast with a literal at the pattern's beginning, except for small texts.
        """
        return MAX_SKIMMED_BYTES if self._begins_with_literal else sys.maxsize

    def lacks_literal(self, text: bytes) -> bool:
        """Whether the text lacks the pattern's required literal and so cannot match."""
        return len(text) <= self.skimmed_bytes and self.literal not in text

    def engine(self, *, is_ascii: bool, is_empty: bool, first: bool = True) -> Engine:
        """The engine for such a text, for its `first` match or for all of them."""
        if is_empty and self._has_non_boundary:
            return self.python  # \B on an empty text: Python's versions differ, RE2 too
        if not first and self._prefers_empty:
            return self.python  # RE2 can't be asked for the next best match at a place
        return self.ascii if is_ascii else self.unicode

    @property
    def needs_whole_text(self) -> bool:
        """Whether `re` could err on a part of a text, so that it needs the whole."""
        return (
            self.match_bounds.looks_far
            or self.match_bounds.commits
            or self.match_bounds.behind > MAX_BEHIND
        )

    @cached_property
    def _begins_with_literal(self) -> bool:
        with_case = not self.flags & op.SRE_FLAG_IGNORECASE
        return with_case and len(self.tree) > 0 and self.tree[0][0] is op.LITERAL

    @cached_property
    def _prefers_empty(self) -> bool:
        """Whether an empty match may come before a longer one that begins at the same place."""
        return empty_matches.is_nullable(self.tree) and empty_matches.prefers_empty(self.tree)

    @cached_property
    def _has_odd_loop(self) -> bool:
        return empty_matches.has_odd_loop(self.tree)

    @cached_property
    def _has_non_boundary(self) -> bool:
        return _mentions(self.tree, op.AT_NON_BOUNDARY)

    def _engine(self, *, ascii_only: bool, loose: bool = False) -> Engine:
        if self._has_odd_loop and not loose:
            return self.python
        try:
            source = translate.Translator(ascii_only, loose).translate(self.tree, self.flags)
            compiled = worker.compile_re2(source)
        except translate.UntranslatableError:
            return self.python
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in {"re2", "_re2"}:
                raise
            return self.python
        size = int(compiled.programsize)
        marks = source.count(translate.MARK)
        if not marks or loose:
            return Engine("re2", source, compiled=compiled, program_size=size)
        if marks > MAX_MARKS:
            return self.python
        marked = worker.compile_re2(source, marks=True)
        return Engine("re2", source, compiled=compiled, marked=marked, program_size=size * marks)


def compile_pattern(pattern: str, flags: Flags) -> CompiledPattern:
    """Check a pattern once, before anything is searched with it.

    If it `is_plain`, its engines are compiled when a text needs them: few texts do.

    Raises InvalidPatternError in Python's own words, with the offset in the pattern as it was
    sent; also for a pattern that is too long, too deep, too costly or no valid Unicode.
    """
    try:
        source, tree = checks.checked(pattern, flags)
        all_flags = int(tree.state.flags)
        measured = match_bounds.measure(tree, all_flags)
        compiled = CompiledPattern(source, all_flags, flags.word, tree, measured)
        if not checks.is_plain(pattern, flags):
            # now: otherwise several threads could compute each of them, or the loop
            _ = compiled.ascii, compiled.unicode, compiled.literal, compiled._prefers_empty  # noqa: SLF001
    except RecursionError:
        raise InvalidPatternError("too deeply nested") from None
    return compiled


def _mentions(nodes: Sequence[Node], anchor: Op) -> bool:
    return any(
        (kind is op.AT and argument is anchor)
        or any(_mentions(body, anchor) for body in match_bounds.children(kind, argument))
        for kind, argument in nodes
    )


def warm() -> None:
    """Build the tables that translations need."""
    charsets.build_tables()
