"""Finds patterns for which Python and RE2 choose differently between empty and longer matches."""

from __future__ import annotations

from collections.abc import Sequence
from re import _constants as op  # type: ignore[attr-defined, unused-ignore]

from gistapi.matching import match_bounds, worker
from gistapi.matching.charsets import Node


def is_nullable(body: worker.Tree) -> bool:
    """Whether a parse tree can match the empty string."""
    return int(body.getwidth()[0]) == 0


def prefers_empty(nodes: Sequence[Node]) -> bool:
    """Whether some part of a pattern tries the empty string before something longer.

    Greedy repeats do not, nor do alternatives of which only the last can be empty.
    """
    for kind, argument in nodes:
        if kind is op.MIN_REPEAT and argument[0] != argument[1]:
            return True
        if kind is op.BRANCH and any(map(is_nullable, argument[1][:-1])):
            return True
        if any(prefers_empty(body) for body in match_bounds.children(kind, argument)):
            return True
    return False


def has_odd_loop(nodes: Sequence[Node]) -> bool:
    """Whether a repeat may have an empty iteration where a longer one was possible.

    Python ends the repeat after an empty iteration, RE2 continues: the match may end elsewhere.
    """
    for kind, argument in nodes:
        loops = kind in match_bounds.REPEATS and argument[1] > 1 and is_nullable(argument[2])
        if loops and (kind is op.MIN_REPEAT or prefers_empty(argument[2])):
            return True
        if any(has_odd_loop(body) for body in match_bounds.children(kind, argument)):
            return True
    return False
