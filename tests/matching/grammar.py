"""Hypothesis strategies: patterns with everything that is hard to translate, and matching texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy  # pylint: disable=unused-import  # an annotation uses it

from gistapi.models import Flags
from tests.matching.reference import python_compile

LETTERS = "aabbkKsSiI_01 \n\n\r\x00\x1c\x85-ſKİıÅµμςσǅéß日𐐀"
_CLASSES = [r"\w", r"\d", r"\s", r"\W", r"\D", r"\S"]
_ANCHORS = ["^", "$", r"\A", r"\Z", r"\b", r"\B", r"\b", "$"]
_QUANTIFIERS = ["*", "+", "?", "{2}", "{,2}", "{1,3}", "{2,}", "{0}", "*?", "+?", "??", "{1,2}?"]
_SCOPES = ["(?i:%s)", "(?a:%s)", "(?u:%s)", "(?s:%s)", "(?m:%s)", "(?-i:%s)", "(?-s:%s)"]
_SCOPES += ["(?-m:%s)", "(?x: %s )", "(?ai-s:%s)"]
_ONLY_PYTHON = ["(?=%s)", "(?!%s)", "(?>%s)", "(?<=a)%s", "(?<!\\w)%s", "(?:%s)++", r"(?:(%s)|a)\1"]

FLAGS = [
    0,
    re.IGNORECASE,
    re.MULTILINE,
    re.DOTALL,
    re.IGNORECASE | re.MULTILINE,
    re.MULTILINE | re.DOTALL,
    re.IGNORECASE | re.DOTALL,
]
PREFIXES = ["", "", "", "", "(?a)", "(?i)", "(?x)", "(?m)(?i)", "(?s)"]


def flags_of(flags: int) -> Flags:
    """The flags of a request that stand for these of `re`."""
    return Flags(bool(flags & 2), bool(flags & 8), bool(flags & 16))


def _literal() -> SearchStrategy[str]:
    return st.sampled_from(LETTERS).map(re.escape)


def _class() -> SearchStrategy[str]:
    member = st.one_of(
        st.sampled_from(LETTERS).map(re.escape),
        st.sampled_from(_CLASSES),
        st.sampled_from(["a-c", "K-k", "Ss", "Kk", "\\x00-\\x1f", "ſ-ǅ", "α-ω", "\\u0100-\\u0fff"]),
    )
    members = st.lists(member, min_size=1, max_size=3).map("".join)
    return st.tuples(st.sampled_from(["[", "[", "[^"]), members).map(lambda t: f"{t[0]}{t[1]}]")


def _atoms() -> SearchStrategy[str]:
    return st.one_of(
        _literal(),
        _literal(),
        _literal(),
        _class(),
        st.sampled_from([*_CLASSES, ".", "."]),
        st.sampled_from(_ANCHORS),
        st.just(""),
    )


def _grow(inner: SearchStrategy[str]) -> SearchStrategy[str]:
    sequences = st.lists(inner, min_size=1, max_size=3).map("".join)
    alternatives = st.lists(inner, min_size=2, max_size=3).map("|".join)
    groups = st.sampled_from(["(?:%s)", "(%s)"])
    wrapped = st.tuples(groups, alternatives | sequences).map(lambda t: t[0] % t[1])
    repeated = st.tuples(wrapped | inner.map("(?:{})".format), st.sampled_from(_QUANTIFIERS))  # pylint: disable=consider-using-f-string
    scoped = st.tuples(st.sampled_from(_SCOPES), alternatives | sequences)
    rare = st.tuples(st.sampled_from(_ONLY_PYTHON), sequences)
    return st.one_of(
        sequences,
        sequences,
        wrapped,
        repeated.map("".join),
        scoped.map(lambda t: t[0] % t[1]),
        rare.map(lambda t: t[0] % t[1]),
    )


def _valid(pattern: str) -> bool:
    try:
        python_compile(pattern, 0)
    except (re.error, OverflowError, RecursionError):
        return False
    return 0 < len(pattern) <= 300


def patterns() -> SearchStrategy[str]:
    """Valid patterns, with loops short enough for `re` to answer quickly."""
    bodies = st.recursive(_atoms(), _grow, max_leaves=7)
    return st.tuples(st.sampled_from(PREFIXES), bodies).map("".join).filter(_valid)


@st.composite
def texts_for(draw: DrawFn, pattern: str, count: int, most: int = 12) -> Sequence[str]:
    """Texts over the pattern's alphabet, including the empty one."""
    own = [c for c in pattern if c.isalnum() or c in " \n\r\x00_-" or c > "\x7f"]
    alphabet = [*own, *own, *own, *"a \n\nkKsSiI0_b\r", *draw(st.lists(st.sampled_from(LETTERS)))]
    text = st.text(st.sampled_from(alphabet), max_size=most)
    return ["", *draw(st.lists(text, min_size=count, max_size=count))]
