"""Bounds of how much text decides whether a match begins at a position.

They are upper bounds, read from the parse tree. A bound that is too large only makes a scanner
hold more text than it needs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from re import _constants as op  # type: ignore[attr-defined, unused-ignore]
from typing import Any

from gistapi.matching import charsets
from gistapi.matching.charsets import Argument, Node, Op

TYPE_FLAGS = re.ASCII | re.LOCALE | re.UNICODE
REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
_COMMITTING = (op.POSSESSIVE_REPEAT, op.ATOMIC_GROUP)
_BODY = dict.fromkeys(REPEATS, 2) | {op.ASSERT: 1, op.ASSERT_NOT: 1, op.SUBPATTERN: 3}
_AHEAD = {op.AT_END: 2, op.AT_END_STRING: 1, op.AT_BOUNDARY: 1, op.AT_NON_BOUNDARY: 1}
_ALL = (1 << 128) - 1
_NEWLINE = 1 << ord("\n")


@dataclass(frozen=True, slots=True)
class Extent:
    """Counted in characters, from where a match begins. Sets of ASCII characters are bit masks.

    With unlimited repeats (loops), a match may have any length; but it holds at most `width`
    characters that no loop can take, and `ahead` of them decide about it, lookahead included.
    `loops` are the characters that loops take, `takes` all that are taken or looked at.
    `lookahead` is how far it looks beyond its end; `looks_far`: a loop looks ahead. `behind` is
    how far it looks before its start. `commits`: it has parts that never give back what they took
    (atomic, possessive), so that more text can undo a match.
    """

    width: int = 0
    ahead: int = 0
    lookahead: int = 0
    behind: int = 0
    loops: int = 0
    takes: int = 0
    looks_far: bool = False
    commits: bool = False

    @property
    def crosses_lines(self) -> bool:
        """Whether it can take a newline, or look at one other than by `$`."""
        return bool(self.takes & _NEWLINE)

    @property
    def loop_bytes(self) -> bytes | None:
        """The bytes that loops may take, all beyond ASCII among them; None without loops."""
        if not self.loops:
            return None
        mask = self.loops | ~_ALL
        return bytes(code for code in range(256) if mask >> code & 1)


def measure(tree: Sequence[Node], flags: int) -> Extent:
    """The extent of a parse tree under its global flags."""
    return _Measurer().sequence(tree, flags)


class _Measurer:
    """Walks the tree in the order of the pattern, so that groups come before their references."""

    def __init__(self) -> None:
        self._groups: dict[int, Extent] = {}

    def sequence(self, nodes: Sequence[Node], flags: int) -> Extent:
        width = ahead = takes = 0
        parts = []
        for node in nodes:
            if node[0] is op.LITERAL:  # as a rule
                takes |= _mask(node, flags)
                width += 1
                ahead = max(ahead, width)
                continue
            part = self.node(node, flags)
            parts.append(part)
            ahead = max(ahead, width + part.ahead)
            width += part.width
        return _combine(parts, width, ahead, takes)

    def node(self, node: Node, flags: int) -> Extent:
        kind, argument = node
        if charsets.is_single(node):
            return Extent(width=1, ahead=1, takes=_mask(node, flags))
        if kind is op.AT:
            return Extent(ahead=_AHEAD.get(argument, 0), behind=1)
        if kind is op.GROUPREF:
            return self._reference(argument)
        if kind is op.SUBPATTERN:
            flags = inner_flags(argument, flags)
        inner = _either([self.sequence(body, flags) for body in children(kind, argument)])
        if kind is op.SUBPATTERN and argument[0] is not None:
            self._groups[argument[0]] = inner
        if kind in REPEATS:
            inner = _repeat(inner, argument[1])
        if kind in (op.ASSERT, op.ASSERT_NOT):
            inner = _look(inner, argument[0])
        return replace(inner, commits=inner.commits or kind in _COMMITTING)

    def _reference(self, group: int) -> Extent:
        target = self._groups[group]
        width = target.width
        # Under IGNORECASE it takes more than the group does; that much is not worth knowing.
        return Extent(width, width, loops=_ALL if target.loops else 0, takes=_ALL)


def _combine(parts: Sequence[Extent], width: int, ahead: int, takes: int = 0) -> Extent:
    loops = 0
    for part in parts:
        loops |= part.loops
        takes |= part.takes
    return Extent(
        width=width,
        ahead=ahead,
        lookahead=max((part.lookahead for part in parts), default=0),
        behind=max((part.behind for part in parts), default=0),
        loops=loops,
        takes=takes,
        looks_far=any(part.looks_far for part in parts),
        commits=any(part.commits for part in parts),
    )


def _either(parts: Sequence[Extent]) -> Extent:
    width = max((part.width for part in parts), default=0)
    return _combine(parts, width, max((part.ahead for part in parts), default=0))


def _repeat(item: Extent, most: int) -> Extent:
    if most == op.MAXREPEAT:
        # A loop takes only what its mask says; beyond its last round it may still look ahead.
        return replace(item, width=0, ahead=item.ahead, loops=item.loops | item.takes)
    width = item.width * most
    return replace(item, width=width, ahead=max(item.ahead, width - item.width + item.ahead))


def _look(inner: Extent, direction: int) -> Extent:
    """The extent of a lookaround, which takes nothing itself."""
    seen = Extent(
        behind=inner.behind + (inner.width if direction < 0 else 0),
        lookahead=max(inner.ahead, inner.lookahead),
        looks_far=bool(inner.loops),
    )
    return _combine([inner, seen], 0, inner.ahead)


def _mask(node: Node, flags: int) -> int:
    mask = 0
    for first, last in charsets.ascii_members(node, flags):
        mask |= (2 << last) - (1 << first)
    return mask


def inner_flags(argument: Argument, flags: int) -> int:
    """The flags inside a SUBPATTERN, as `re._compiler` combines them."""
    _, add_flags, del_flags, _ = argument
    if add_flags & TYPE_FLAGS:
        flags &= ~TYPE_FLAGS
    return int((flags | add_flags) & ~del_flags)


def check_lookbehind(nodes: Sequence[Node]) -> None:
    """Raise re.error, in the words of `re`, where a lookbehind has no fixed width."""
    for kind, argument in nodes:
        if kind in (op.ASSERT, op.ASSERT_NOT) and argument[0] < 0:
            low, high = argument[1].getwidth()
            if low != high:
                raise re.error("look-behind requires fixed-width pattern")
        for body in children(kind, argument):
            check_lookbehind(body)


def children(kind: Op, argument: Argument) -> Sequence[Any]:
    """The sequences of nodes inside a node."""
    if kind is op.BRANCH:
        return list(argument[1])
    if kind is op.GROUPREF_EXISTS:
        return [body for body in argument[1:] if body is not None]
    if kind is op.ATOMIC_GROUP:
        return [argument]
    place = _BODY.get(kind)
    return [] if place is None else [argument[place]]
