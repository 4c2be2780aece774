"""Sets of characters equal those of Python's `re`, over all of Unicode."""

from __future__ import annotations

import re

import pytest

from gistapi.matching import charsets, worker
from tests.matching.reference import python_compile

EVERYTHING = charsets._everything()
ATOMS = r"""
\w \d \s \W \D \S . [^a] [\w-] [^\s\d] [a-z] [^a-zß] [\W_] [k-s] [ſ-ǆ] [α-ω] [\u0100-\U0010ffff]
[𐐀-𐐂x] [一-鿿] [\ue000-\U00010428] [\dK] [^K] K [^ſ] ǅ İ ı 𐐀 [^𐐀] [^\x00-\x7f] [^\n]
"""
FLAGS = [0, re.ASCII, re.IGNORECASE, re.IGNORECASE | re.ASCII, re.DOTALL]


@pytest.mark.parametrize("atom", ATOMS.split())
def test_a_set_has_the_characters_that_re_matches(atom: str) -> None:
    """Under every flag, for every code point but surrogates, which no text has."""
    for flags in FLAGS:
        tree = worker.parse(atom, flags, word=False)
        engine = python_compile(f"(?:{atom})+", flags)
        found = tuple((m.start(), m.end() - 1) for m in engine.finditer(EVERYTHING))
        members = charsets.members(tree.data[0], tree.state.flags)
        surrogates = ((0xD800, 0xDFFF),)
        wanted = charsets.difference(found, surrogates)
        assert charsets.difference(members, surrogates) == wanted, flags
        beyond = ((0x80, charsets.LAST),)
        ascii_members = charsets.ascii_members(tree.data[0], tree.state.flags)
        assert ascii_members == charsets.difference(found, beyond), flags


def test_all_cased_characters_are_known() -> None:
    """No other character changes in case, and each folds as in `re`."""
    rest = EVERYTHING[0x20000:]
    assert (rest.lower(), rest.upper()) == (rest, rest)
    cased = charsets._cased()[1]
    flags = int(re.IGNORECASE | re.UNICODE)
    for character in cased:
        members = charsets.members((charsets.op.LITERAL, ord(character)), flags)  # type: ignore[attr-defined]
        found = python_compile(re.escape(character), re.IGNORECASE).findall(cased)
        assert members == charsets.of_characters(found)
    assert not set(re.findall(r"(?i)[\u0100-\uffff]", "".join(map(chr, range(128))))) - set(
        "KkSsIi"
    )


def test_set_operations() -> None:
    """Union, complement and difference keep ranges sorted and disjoint."""
    assert charsets.union([(5, 6)], [(1, 2), (3, 4)], [(8, 9)]) == ((1, 6), (8, 9))
    assert charsets.complement(()) == ((0, charsets.LAST),)
    assert charsets.complement(((0, 4), (9, charsets.LAST))) == ((5, 8),)
    assert charsets.difference(((0, 9),), ((3, 4),)) == ((0, 2), (5, 9))
