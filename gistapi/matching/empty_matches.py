"""Patterns in which Python and RE2 choose differently whether to match nothing."""

from __future__ import annotations

from collections.abc import Sequence
from re import _constants as op  # type: ignore[attr-defined, unused-ignore]

from gistapi.matching import match_bounds, worker
from gistapi.matching.charsets import Node


def is_nullable(body: worker.Tree) -> bool:
    """Whether a parse tree may match nothing at all."""
    return int(body.getwidth()[0]) == 0


def prefers_empty(nodes: Sequence[Node]) -> bool:
    """Whether any choice of a pattern may take nothing and comes before one that takes something.

    Greedy repeats and alternatives that all take something but the last make no such choice.
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
    """Whether a repeat may go round without taking anything where it could have taken something.

    Python leaves a loop after such a round, RE2 goes on: the match may end elsewhere.
    """
    for kind, argument in nodes:
        loops = kind in match_bounds.REPEATS and argument[1] > 1 and is_nullable(argument[2])
        if loops and (kind is op.MIN_REPEAT or prefers_empty(argument[2])):
            return True
        if any(has_odd_loop(body) for body in match_bounds.children(kind, argument)):
            return True
    return False
