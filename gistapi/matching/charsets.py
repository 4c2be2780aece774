r"""Sets of characters, as Python's `re` defines them.

A set is a sorted tuple of ranges `(first, last)` of code points, both included, that neither
overlap nor touch. Which characters `\w` or `(?i:k)` match differs between Python's versions, so
the sets are computed with the running engine.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from re import _constants as op  # type: ignore[attr-defined, unused-ignore]
from re import _parser  # type: ignore[attr-defined, unused-ignore]
from typing import Any

from gistapi.matching.worker import compile_tree

Ranges = tuple[tuple[int, int], ...]
Op = Any
"""One of `re._constants`."""
Argument = Any
"""What `re._parser` puts beside an Op: a code point, a tuple, a sequence of nodes …"""
Node = tuple[Op, Argument]

LAST = 0x10FFFF
ASCII_TEXT = "".join(map(chr, range(128)))
_NEGATIONS = {
    op.CATEGORY_NOT_DIGIT: op.CATEGORY_DIGIT,
    op.CATEGORY_NOT_SPACE: op.CATEGORY_SPACE,
    op.CATEGORY_NOT_WORD: op.CATEGORY_WORD,
}
_PLANE = 0x10000
_BMP_LAST = _PLANE - 1
_TYPES = re.ASCII | re.UNICODE
_SINGLE = {op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN}


def union(*parts: Iterable[tuple[int, int]]) -> Ranges:
    """The union of these sets."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(span for part in parts for span in part):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def complement(ranges: Ranges) -> Ranges:
    """The code points that are not in the set."""
    firsts = [0, *(last + 1 for _, last in ranges)]
    lasts = [*(first - 1 for first, _ in ranges), LAST]
    return tuple((a, b) for a, b in zip(firsts, lasts, strict=True) if a <= b)


def difference(ranges: Ranges, less: Ranges) -> Ranges:
    """The characters of the one set that are not in the other."""
    return complement(union(complement(ranges), less))


def of_characters(text: Iterable[str]) -> Ranges:
    """The set of these characters."""
    return union((ord(character), ord(character)) for character in text)


def is_single(node: Node) -> bool:
    """Whether the node matches exactly one character."""
    return node[0] in _SINGLE


def key(node: Node) -> tuple[Any, Any]:
    """A single-character node in a hashable form."""
    return (node[0], tuple(node[1]) if node[0] is op.IN else node[1])


@functools.lru_cache(maxsize=1024)
def _ascii_members(node: tuple[Any, Any], flags: int) -> Ranges:
    if node[0] is op.IN:
        node = (op.IN, _touched(node[1]))
    return of_characters(_engine(node, flags).findall(ASCII_TEXT))


def ascii_members(node: Node, flags: int) -> Ranges:
    """The ASCII characters that a single-character node matches under these flags."""
    if node[0] is op.LITERAL and not flags & op.SRE_FLAG_IGNORECASE:
        return ((node[1], node[1]),) if node[1] < len(ASCII_TEXT) else ()
    return _ascii_members(key(node), flags)


def members(node: Node, flags: int) -> Ranges:
    """All characters that a single-character node matches under these flags."""
    kind, argument = node
    if kind is op.ANY:
        return complement(() if flags & op.SRE_FLAG_DOTALL else ((10, 10),))
    if kind is op.NOT_LITERAL:
        return complement(members((op.LITERAL, argument), flags))
    if kind is op.LITERAL:
        if not flags & op.SRE_FLAG_IGNORECASE or chr(argument) not in _cased_characters():
            return ((argument, argument),)
        return of_characters(_engine(node, flags).findall(_cased()[1]))
    if argument[0][0] is op.NEGATE:
        return complement(_class_members(argument[1:], flags))
    return _class_members(argument, flags)


def _class_members(items: list[Node], flags: int) -> Ranges:
    items = list(dict.fromkeys(items))  # the parser makes \w|\w|… one class
    if not flags & op.SRE_FLAG_IGNORECASE:
        return union(*(_item(item, flags) for item in items))
    # Case folding has its own rules for what has case: there the engine itself is asked.
    cased, text = _cased()
    engine = _engine((op.IN, _touched(items)), flags, repeated=True)
    runs = ((ord(text[m.start()]), ord(text[m.end() - 1])) for m in engine.finditer(text))
    # A run of the text may leave out what has no case.
    found = difference(tuple(runs), complement(cased))
    return union(found, *(_uncased(item, flags, cased) for item in items))


def _touched(items: Sequence[Node]) -> list[Node]:
    """Restrict ranges to ASCII and cased characters, because `re` takes them char by char.

    A range that leaves the BMP stays whole: `re` folds it in another way, even under ASCII.
    """
    touched: list[Node] = []
    for kind, argument in items:
        if kind is op.RANGE and argument[1] <= _BMP_LAST:
            parts = difference((argument,), _untouched())
            touched += [(op.RANGE, part) for part in parts]
        else:
            touched.append((kind, argument))
    return touched or [(op.LITERAL, LAST)]


@functools.cache
def _untouched() -> Ranges:
    return complement(union(_cased()[0], ((0, len(ASCII_TEXT) - 1),)))


def _uncased(item: Node, flags: int, cased: Ranges) -> Ranges:
    kind, argument = item
    if kind is op.CATEGORY:
        return _uncased_category(argument, int(flags & _TYPES))
    if kind is op.LITERAL:
        return () if chr(argument) in _cased_characters() else ((argument, argument),)
    return difference((argument,), cased)


@functools.cache
def _uncased_category(category: Op, flags: int) -> Ranges:
    return difference(_item((op.CATEGORY, category), flags), _cased()[0])


def _item(item: Node, flags: int) -> Ranges:
    kind, argument = item
    if kind is op.LITERAL:
        return ((argument, argument),)
    if kind is op.RANGE:
        return (argument,)
    return _category(argument, int(flags & _TYPES))


@functools.cache
def _category(category: Op, flags: int) -> Ranges:
    if category in _NEGATIONS:
        return complement(_category(_NEGATIONS[category], flags))
    engine = _engine((op.IN, [(op.CATEGORY, category)]), flags, repeated=True)
    text = ASCII_TEXT if flags & op.SRE_FLAG_ASCII else _everything()
    return tuple((found.start(), found.end() - 1) for found in engine.finditer(text))


def _engine(node: Node, flags: int, *, repeated: bool = False) -> re.Pattern[str]:
    state = _parser.State()
    tree = _parser.SubPattern(state, [node])
    if repeated:
        tree = _parser.SubPattern(state, [(op.MAX_REPEAT, (1, op.MAXREPEAT, tree))])
    return compile_tree(tree, int(flags))


def _everything() -> str:
    """Every code point, each at its own index."""
    # By slices: one by one they would take ten times as long.
    plane = bytearray(4 * _PLANE)
    plane[::4] = bytes(range(256)) * 256
    plane[1::4] = b"".join(bytes([high]) * 256 for high in range(256))
    text = bytearray()
    for number in range(LAST // _PLANE + 1):
        plane[2::4] = bytes([number]) * _PLANE
        text += plane
    return text.decode("utf-32-le", "surrogatepass")


@functools.cache
def _cased() -> tuple[Ranges, str]:
    """Everything that case folding touches, as a set and as a text."""
    text = "".join(sorted(_cased_characters()))
    return of_characters(text), text


@functools.cache
def _cased_characters() -> frozenset[str]:
    blocks = ("".join(map(chr, range(first, first + 256))) for first in range(0, 2 * _PLANE, 256))
    some_cased = (block for block in blocks if not block.lower() == block == block.upper())
    cased = {c for block in some_cased for c in block if not c.lower() == c == c.upper()}
    images = {image for c in cased for image in (c.lower(), c.upper()) if len(image) == 1}
    return frozenset(cased | images)


def build_tables() -> None:
    """Compute what every translation needs (some 100 ms), once."""
    _cased()
    for category in (*_NEGATIONS, *_NEGATIONS.values()):
        _uncased_category(category, int(re.UNICODE))
