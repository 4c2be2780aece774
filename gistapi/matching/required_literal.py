"""The literal that every match of a pattern contains: a text without it needs no engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from re import _constants as op  # type: ignore[attr-defined, unused-ignore]

from gistapi.matching import match_bounds
from gistapi.matching.charsets import Node

_BREAK = ""
_WITHOUT_WIDTH = (op.AT, op.ASSERT, op.ASSERT_NOT)


def required(tree: Sequence[Node], flags: int) -> bytes:
    """The longest run of characters that is in every match of a parse tree, in UTF-8.

    Empty where none is known.
    """
    runs, run = [""], ""
    for character in _characters(tree, flags):
        run = run + character if character else ""
        runs.append(run)
    # a lone surrogate, which no text has, becomes bytes that no text has either
    return max(runs, key=len).encode("utf-8", "surrogatepass")


def _characters(nodes: Sequence[Node], flags: int) -> Iterator[str]:
    """The literal characters in order, with `_BREAK` where other text may come between them.

    The parser has already moved the common beginning of alternatives before them.
    """
    for kind, argument in nodes:
        if kind is op.LITERAL and not flags & op.SRE_FLAG_IGNORECASE:
            yield chr(argument)
        elif kind is op.SUBPATTERN:
            yield from _characters(argument[3], match_bounds.inner_flags(argument, flags))
        elif kind is op.ATOMIC_GROUP:
            yield from _characters(argument, flags)
        elif kind in match_bounds.REPEATS and argument[0] > 0:
            yield _BREAK
            yield from _characters(argument[2], flags)
            yield _BREAK
        elif kind not in _WITHOUT_WIDTH:
            yield _BREAK
