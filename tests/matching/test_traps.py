"""Known differences between Python's `re` and RE2, tested exhaustively, each with a mutant.

A trap is some patterns and a small alphabet: every text over it up to a length is tried. Its
mutant is the translation with one deliberate bug, which the same cases must detect.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from re import _constants as op  # type: ignore[attr-defined, unused-ignore]
from typing import Any

import pytest

from gistapi.matching import (
    charsets,
    compile_pattern,
    empty_matches,
    match_bounds,
    translate,
    worker,
)
from gistapi.matching.pattern import CompiledPattern
from gistapi.matching.translate import Piece, Translator
from gistapi.models import Flags
from tests.matching.reference import our_spans, python_compile, spans

Mutant = Callable[[pytest.MonkeyPatch], None]
LEAST_CASES = 1_000
PLAIN, IGNORE, MULTI = Flags(), Flags(ignore_case=True), Flags(multiline=True)


@dataclass(frozen=True)
class Trap:
    """`patterns` times all texts of up to `longest` of the `alphabet`'s pieces."""

    name: str
    patterns: tuple[str, ...]
    alphabet: tuple[str, ...]
    longest: int
    mutant: Mutant
    flags: Flags = PLAIN

    def texts(self) -> Iterator[str]:
        """The texts, shortest first."""
        for length in range(self.longest + 1):
            yield from map("".join, itertools.product(self.alphabet, repeat=length))

    def differences(self) -> tuple[int, int]:
        """Return the number of cases, and how many differ from `re.finditer`."""
        cases = wrong = 0
        python_flags = 2 * self.flags.ignore_case + 8 * self.flags.multiline
        for pattern in self.patterns:
            reference = python_compile(pattern, python_flags)
            compiled = compile_pattern(pattern, self.flags)
            for text in self.texts():
                cases += 1
                wrong += our_spans(compiled, text) != spans(reference, text)
        return cases, wrong


def anchor(where: Any, text: str) -> Mutant:
    """Translate one anchor as `text`, always."""

    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        right = Translator.at

        def wrong(self: Translator, argument: Any, flags: int, tail: bool) -> Piece:  # noqa: FBT001
            return Piece(text) if argument is where else right(self, argument, flags, tail)

        monkeypatch.setitem(translate._NODES, op.AT, wrong)

    return apply


def character(rewrite: Callable[[Translator, Any, int], Piece | None]) -> Mutant:
    """Translate some single-character nodes differently."""

    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        right = Translator.character

        def wrong(self: Translator, node: Any, flags: int) -> Piece:
            return rewrite(self, node, flags) or right(self, node, flags)

        monkeypatch.setattr(Translator, "character", wrong)

    return apply


def replace(owner: Any, name: str, *, value: Any) -> Mutant:
    """Replace an attribute."""
    return lambda monkeypatch: monkeypatch.setattr(owner, name, value)


def re2_space(_: Translator, node: Any, _flags: int) -> Piece | None:
    """Use RE2's white space."""
    if node == (op.IN, [(op.CATEGORY, op.CATEGORY_SPACE)]):
        return Piece(r"[\t\n\v\f\r ]")
    return None


def ascii_classes(_: Translator, node: Any, flags: int) -> Piece | None:
    """Ignore that classes match all of Unicode."""
    if node[0] is op.IN:
        return Piece(translate.write_class(charsets.members(node, re.ASCII | flags & ~re.UNICODE)))
    return None


def re2_folding(_: Translator, node: Any, flags: int) -> Piece | None:
    """Let RE2 fold case."""
    plain = translate.write_class(charsets.members(node, flags & ~re.IGNORECASE))
    return Piece(f"(?i:{plain})") if flags & re.IGNORECASE else None


def dot_stops_at_cr(_: Translator, node: Any, _flags: int) -> Piece | None:
    """Treat a lone CR as the end of a line."""
    return Piece(r"[^\r\n]") if node[0] is op.ANY else None


def raw_nul(monkeypatch: pytest.MonkeyPatch) -> None:
    """End the pattern at a NUL, as in C."""
    right = worker.compile_re2

    def cut(source: str, *, marks: bool = False) -> object:
        return right(source.split(r"\x{0}", maxsplit=1)[0], marks=marks)

    monkeypatch.setattr(worker, "compile_re2", cut)


def literal_braces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read {,n} literally, as RE2 does."""
    right = Translator.repeat

    def wrong(self: Translator, kind: Any, argument: Any, flags: int) -> Piece:
        low, high, body = argument
        if low == 0 and high not in (1, op.MAXREPEAT):
            inner = self._sequence(body, flags, tail=False)
            return Piece(f"{inner.text}{{,{high}}}")
        return right(self, kind, argument, flags)

    monkeypatch.setattr(Translator, "repeat", wrong)


def clamped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clamp counts to RE2's limit."""
    right = Translator.repeat

    def wrong(self: Translator, kind: Any, argument: Any, flags: int) -> Piece:
        low, high, body = argument
        return right(self, kind, (min(low, 1000), min(high, 1000), body), flags)

    monkeypatch.setattr(Translator, "repeat", wrong)


def branches_without_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drop empty alternatives."""
    right = Translator.branch

    def wrong(self: Translator, argument: Any, flags: int, tail: bool) -> Piece:  # noqa: FBT001
        return right(self, (None, [b for b in argument[1] if len(b)]), flags, tail)

    monkeypatch.setitem(translate._NODES, op.BRANCH, wrong)


def groups_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drop numbered groups."""
    right = Translator.subpattern

    def wrong(self: Translator, argument: Any, flags: int, tail: bool) -> Piece:  # noqa: FBT001
        return Piece("") if argument[0] else right(self, argument, flags, tail)

    monkeypatch.setitem(translate._NODES, op.SUBPATTERN, wrong)


def verbose_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore the verbose flag."""
    right = worker.parse

    def wrong(pattern: str, flags: int, *, word: bool) -> Any:
        return right(pattern.replace("(?x)", "").replace("(?x:", "(?:"), flags, word=word)

    monkeypatch.setattr(worker, "parse", wrong)


def mixed_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """Translate (?u:…) inside (?a) as the documentation describes it."""

    def wrong(self: Translator, argument: Any, flags: int, tail: bool) -> Piece:  # noqa: FBT001
        inside = match_bounds.inner_flags(argument, flags)
        return Piece("(?:" + self._sequence(argument[3], inside, tail=tail).text + ")")

    monkeypatch.setitem(translate._NODES, op.SUBPATTERN, wrong)


def _keep_flags(_argument: Any, flags: int) -> int:
    """Ignore the flags that a group sets or clears."""
    return flags


BOUNDARIES = (r"\bb", r"b\b", r"a\Bb", r"\B\w", r"\bé", r"a\b")
CASES = (r"k", r"[k-l]", r"[^s]", r"s", r"ß", r"ǆ", r"µ", r"σ", r"i", r"[^i]", r"[İ-ı]", r"å")
DESERET = (r"ῼ", r"𐐀", r"[𐐀-𐐂]", r"[^𐐨]", r"(?:(𐐀))+")
CASED = tuple("iIİısSſkKKåÅÅµμςσΣǅǆǄẞßῳῼ𐐀𐐨𐐂")
TRAPS = [
    Trap("dollar", ("a$", "^$", "b?$", "(a|b$)"), ("a", "b", "\n"), 5, anchor(op.AT_END, r"\z")),
    Trap(
        "end",
        (r"a\Z", r"\Z", r"a\Z|b", r"\n\Z"),
        ("a", "b", "\n"),
        5,
        anchor(op.AT_END_STRING, r"(?:\n?\z)"),
    ),
    Trap(
        "multiline ^",
        ("^a", "^$", "b^", "^"),
        ("a", "b", "\n"),
        5,
        anchor(op.AT_BEGINNING, r"\A"),
        MULTI,
    ),
    Trap(
        "multiline $",
        ("a$", "$b", "a$\n", "$"),
        ("a", "b", "\n"),
        5,
        anchor(op.AT_END, r"\z"),
        MULTI,
    ),
    Trap(
        "non-boundary of nothing",
        (r"\B", r"a?\B", r"\Ba|\B", r"(?:\B)*\B"),
        ("a", "-"),
        8,
        replace(CompiledPattern, "_has_non_boundary", value=False),
    ),
    Trap("boundary", BOUNDARIES, ("a", "b", "é", "-", "\n"), 4, anchor(op.AT_BOUNDARY, r"\b")),
    Trap(
        "non-boundary",
        (r"\B", r"\Ba", r"-\B", r"é\B"),
        ("a", "é", "日", "-"),
        4,
        anchor(op.AT_NON_BOUNDARY, r"\B"),
    ),
    Trap(
        "space",
        (r"\s", r"a\sb?", r"\s\s", r"^\s"),
        ("a", "\x1c", "\x1f", "\x85", "\xa0", " "),
        4,
        character(re2_space),
    ),
    Trap(
        "unicode classes",
        (r"\w", r"\d", r"\s", r"[^\w]", r"[\D]", r"\W", r"[^\s\d]"),
        ("a", "é", "٣", "\u2003", "日", "-", "²"),
        3,
        character(ascii_classes),
    ),
    Trap("case", (*CASES, *DESERET), CASED, 2, character(re2_folding), IGNORE),
    Trap(
        "pairs that RE2 folds",
        (r"ab|[Bb]|[Ss]", r"(?ai)ab|k|\n|x", r"(?:b[Kk]|[Kk]|x|[Ss])b", r"(?i:(?a:bb|s|a))"),
        ("b", "s", "S", "ſ", "k", "K", "\u212a"),
        3,
        replace(translate, "_PAIRS", value={}),
    ),
    Trap(
        "flags for ASCII",
        (r"(?a)(?u:\w)", r"(?a)\w(?u:\w)\b", r"(?a)[^(?u:\d)]", r"(?u:(?a:\w)\w)"),
        ("a", "é", "٣", "-"),
        4,
        mixed_types,
    ),
    Trap(
        "flags off",
        (r"(?i)a(?-i:b)", r"(?i:a)b", r"(?s:.)a.", r"(?m:^)a(?-i:B)$"),
        ("a", "A", "b", "B", "\n"),
        4,
        replace(match_bounds, "inner_flags", value=_keep_flags),
    ),
    Trap(
        "open count",
        (r"a{,2}b", r"^a{,2}$", r"(?:ab){,3}\Z", r"^[ab]{,2}\Z"),
        ("a", "b"),
        8,
        literal_braces,
    ),
    Trap(
        "large count",
        (r"(?:a{501}){2}b", r"^a{1001}$", r"a{1002,}b", r"^a{0,1001}b"),
        ("a" * 250, "a", "b"),
        5,
        clamped,
    ),
    Trap(
        "empty alternatives",
        (r"^(?:a|)b", r"^(?:|a)$", r"^(?:a||b)c?$", r"^(?:(?:)|ab)*\Z"),
        ("a", "b", "c"),
        5,
        branches_without_empty,
    ),
    Trap(
        "named groups",
        (r"(?P<x>a)b", r"(?P<a1>a|b)+c", r"^(?P<n>[ab])$", r"(?P<x>a)(?P=x)"),
        ("a", "b", "c"),
        5,
        groups_dropped,
    ),
    Trap(
        "verbose",
        ("(?x) a b # c", "(?x:a #b\n) b", "(?x)a\\ b", "(?x)[ #]b"),
        ("a", "b", " ", "#"),
        4,
        verbose_ignored,
    ),
    Trap(
        "what the end only looks at",
        ("a$", "b?$", "a(?=b)", "[ab](?!b)", "a(?=b|$)|b"),
        ("a", "b", "\n"),
        5,
        replace(translate, "MARK", value=""),
    ),
    Trap(
        "rounds that take nothing",
        (r"(?:|.)*b", r"(?:|a|ab)*b", r"(?:|ab|a){0,2}c", r"(?:|(?:b|))*a"),
        ("a", "b", "c", "\n"),
        5,
        replace(empty_matches, "has_odd_loop", value=lambda _nodes: False),
    ),
    Trap(
        "nothing before something",
        (r"|a", r"a??", r"(?:|a)b?", r"\b|a|b", r"(?:b*?|a)"),
        ("a", "b", " "),
        6,
        replace(CompiledPattern, "_prefers_empty", value=False),
    ),
    Trap("NUL", ("\x00", "a\x00b", r"\0a", "[^\x00]b"), ("a", "b", "\x00"), 5, raw_nul),
    Trap(
        "lone CR",
        ("a.b", "^.+$", "(?m)^b", "(?m)a$"),
        ("a", "b", "\r", "\n"),
        4,
        character(dot_stops_at_cr),
    ),
]


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.name)
def test_trap(trap: Trap) -> None:
    """All matches of all cases are those of `re.finditer`."""
    cases, wrong = trap.differences()
    assert wrong == 0
    assert cases >= LEAST_CASES


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.name)
def test_mutant_is_detected(trap: Trap, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the deliberate bug, the same cases have differences."""
    trap.mutant(monkeypatch)
    _, wrong = trap.differences()
    assert wrong > 0
