"""Translates Python's parse tree into RE2's syntax, exactly or not at all.

Two things must be the same: whether there is a match, and where the first one begins and ends. So
groups need not capture, and a lookahead at the very end of a pattern may consume what it looks at:
a MARK before it shows where the match ends. A pattern that RE2 cannot express exactly raises
UntranslatableError, and `re` searches for it.

The syntax of RE2: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from re import _constants as op  # type: ignore[attr-defined, unused-ignore]
from typing import Any, NamedTuple

from gistapi.matching import charsets, match_bounds
from gistapi.matching.charsets import Argument, Node, Op, Ranges

MAX_COST = 20_000
"""Instructions, estimated before RE2 sees the pattern: at most some 60 ms and 3 MB to compile."""
NESTED_COST = 3
"""More for each `x?` in an `x{0,n}`: RE2 nests them, which takes it quadratic time."""
MAX_COUNT = 1_000
"""RE2's limit for a counted repeat, and for the product of nested ones."""

MAX_LOOSE_RANGES = 8
"""In a loose translation, a set with more ranges is widened to everything beyond ASCII."""
MARK = "()"
"""An empty group, which nothing else is translated into."""
BEYOND_ASCII = (0x80, 0x10FFFF)


class UntranslatableError(Exception):
    """RE2 cannot express this exactly, or not at a reasonable size."""


class Piece(NamedTuple):
    """Part of a translation: RE2's text, its instructions, the product of its nested counts."""

    text: str
    cost: int = 1
    nested: int = 1


@dataclass(frozen=True, slots=True)
class Translator:
    """Translates for texts that are pure ASCII, or for any text.

    With `loose`, lookarounds that RE2 cannot express are left out: the translation matches wherever
    the pattern does, and perhaps elsewhere.
    """

    ascii_only: bool
    loose: bool = False
    _pieces: dict[Any, Piece] = field(default_factory=dict, init=False)

    def translate(self, tree: Sequence[Node], flags: int) -> str:
        """RE2's text for a whole parse tree; raises UntranslatableError."""
        return self._sequence(tree, flags, tail=True).text

    def _sequence(self, nodes: Sequence[Node], flags: int, *, tail: bool) -> Piece:
        """`tail`: nothing of the pattern comes behind these nodes."""
        pieces: list[Piece] = []
        cost = 0
        for index, node in enumerate(nodes):
            last = tail and index == len(nodes) - 1
            pieces.append(self._node(node, flags, tail=last))
            cost = _bounded(cost + pieces[-1].cost)
        count = max((piece.nested for piece in pieces), default=1)
        return Piece("".join(piece.text for piece in pieces), max(1, cost), count)

    def _node(self, node: Node, flags: int, *, tail: bool) -> Piece:
        if charsets.is_single(node):
            return self.character(node, flags)
        kind, argument = node
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            return self.repeat(kind, argument, flags)
        translate = _NODES.get(kind)
        if translate is None:
            raise UntranslatableError(f"{kind} has no counterpart")
        return translate(self, argument, flags, tail)

    def character(self, node: Node, flags: int) -> Piece:
        """A literal, `.` or a class."""
        key = (charsets.key(node), flags)
        if key not in self._pieces:
            ranges = self._members(node, flags)
            text = None if self.ascii_only else _PAIRS.get(ranges)
            cost = max(1, len(ranges) * (1 if self.ascii_only else 2))
            self._pieces[key] = Piece(text or write_class(ranges), cost)
        return self._pieces[key]

    def _members(self, node: Node, flags: int) -> Ranges:
        if self.ascii_only:
            return charsets.ascii_members(node, flags)
        members = charsets.members(node, flags)
        if self.loose and len(members) > MAX_LOOSE_RANGES:
            return (*charsets.ascii_members(node, flags), BEYOND_ASCII)
        return members

    def repeat(self, kind: Op, argument: tuple[int, int, Any], flags: int) -> Piece:
        """A repeat, split so that no count goes above RE2's limit."""
        low, high, body = argument
        endless = high == op.MAXREPEAT
        optional = 0 if endless else high - low
        item = self._sequence(body, flags, tail=False)
        cost = _bounded(item.cost * max(1, low + optional + endless) + NESTED_COST * optional)
        once = f"(?:{item.text})"
        lazy = "?" if kind is op.MIN_REPEAT else ""
        most = max(1, MAX_COUNT // item.nested)
        text = "".join(once + _quantifier(count, count, "") for count in _parts(low, most))
        text += "".join(once + _quantifier(0, count, lazy) for count in _parts(optional, most))
        text += once + "*" + lazy if endless else ""
        return Piece(f"(?:{text})", cost, item.nested * min(most, max(1, low, optional)))

    def at(self, where: Op, flags: int, tail: bool) -> Piece:  # noqa: FBT001
        """An anchor or a boundary."""
        multiline = flags & op.SRE_FLAG_MULTILINE
        if where is op.AT_END and not multiline:
            # Python's $ looks behind a final newline; RE2 can't look, but may eat it at the end.
            if not tail:
                return self._left_out("$ before the end of the pattern")
            return Piece(MARK + r"(?:\n?\z)", 4)
        if where in (op.AT_BOUNDARY, op.AT_NON_BOUNDARY):
            # RE2's boundary is one of ASCII bytes, and its \B matches inside a character.
            ascii_words = self.ascii_only or (flags & op.SRE_FLAG_ASCII and where is op.AT_BOUNDARY)
            if not ascii_words:
                return self._left_out("a word boundary in a text that isn't ASCII")
        if where is op.AT_BEGINNING:
            return Piece("(?m:^)" if multiline else r"\A")
        return Piece(_ANCHORS[where])

    def subpattern(self, argument: Argument, flags: int, tail: bool) -> Piece:  # noqa: FBT001
        """A group, and the flags it turns on and off."""
        if argument[1] & match_bounds.TYPE_FLAGS & ~flags:
            # `re` filters the places where a match may begin by the outer flags: (?a)(?u:\w) does
            # not find "é". That is nothing to imitate.
            raise UntranslatableError("(?u:…) inside (?a), or the other way round")
        inner = self._sequence(argument[3], match_bounds.inner_flags(argument, flags), tail=tail)
        return inner._replace(text=f"(?:{inner.text})")

    def branch(self, argument: Argument, flags: int, tail: bool) -> Piece:  # noqa: FBT001
        """Alternatives, empty ones too."""
        pieces: list[Piece] = []
        cost = 0
        for body in argument[1]:
            pieces.append(self._sequence(body, flags, tail=tail))
            cost = _bounded(cost + pieces[-1].cost + 1)
        text = "|".join(piece.text for piece in pieces)
        return Piece(f"(?:{text})", cost, max(piece.nested for piece in pieces))

    def lookahead(self, argument: Argument, flags: int, tail: bool) -> Piece:  # noqa: FBT001
        """`(?=…)` at the very end may as well consume what it sees."""
        direction, body = argument
        if direction < 0 or not tail:
            return self._left_out("lookaround")
        inner = self._sequence(body, flags, tail=True)
        return inner._replace(text=f"{MARK}(?:{inner.text})")

    def negative_lookahead(self, argument: Argument, flags: int, tail: bool) -> Piece:  # noqa: FBT001
        """`(?!c)` for one character, at the very end: another character, or the text's end."""
        direction, body = argument
        single = len(body) == 1 and charsets.is_single(body[0])
        if self.loose or direction < 0 or not tail or not single:
            return self._left_out("negative lookaround")
        others = charsets.complement(self._members(body[0], flags))
        return Piece(f"{MARK}(?:{write_class(others)}|\\z)", 2 * len(others) + 2)

    def _left_out(self, what: str) -> Piece:
        if not self.loose:
            raise UntranslatableError(what)
        return Piece("", 0)

    def failure(self, _argument: Argument, _flags: int, _tail: bool) -> Piece:  # noqa: FBT001
        """`(?!)`, which never matches."""
        return Piece(write_class(()))


_NODES: dict[Any, Callable[[Translator, Any, int, bool], Piece]] = {
    op.AT: Translator.at,
    op.SUBPATTERN: Translator.subpattern,
    op.BRANCH: Translator.branch,
    op.ASSERT: Translator.lookahead,
    op.ASSERT_NOT: Translator.negative_lookahead,
    op.FAILURE: Translator.failure,
}
_ANCHORS = {
    op.AT_BEGINNING_STRING: r"\A",
    op.AT_END: "(?m:$)",
    op.AT_END_STRING: r"\z",
    op.AT_BOUNDARY: r"\b",
    op.AT_NON_BOUNDARY: r"\B",
}


_PAIRS = {charsets.of_characters((a, b)): f"(?:{a}|{b})" for a, b in ("Kk", "Ss")}
"""RE2 reads [Ss] as (?i:s); where it merges alternatives (ab|x|[Ss]), the long s matches too."""


def _bounded(cost: int) -> int:
    if cost > MAX_COST:
        raise UntranslatableError("too large")
    return cost


def _parts(count: int, most: int) -> list[int]:
    return [most] * (count // most) + [count % most] * bool(count % most)


def _quantifier(low: int, high: int, lazy: str) -> str:
    if (low, high) == (1, 1):
        return ""
    if (low, high) == (0, 1):
        return "?" + lazy
    return f"{{{low},{high}}}" + lazy if low != high else f"{{{high}}}"


def write_class(ranges: Ranges) -> str:
    """A set of characters in RE2's syntax, the empty one too."""
    if not ranges:
        return r"[^\x00-\x{10FFFF}]"
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return write_character(ranges[0][0])
    return "[" + "".join(_write_range(first, last) for first, last in ranges) + "]"


def _write_range(first: int, last: int) -> str:
    if first == last:
        return write_character(first)
    return f"{write_character(first)}-{write_character(last)}"


def write_character(code_point: int) -> str:
    """One character, escaped unless it is an ASCII letter or digit."""
    character = chr(code_point)
    if character.isascii() and character.isalnum():
        return character
    return f"\\x{{{code_point:X}}}"
