r"""A pattern of the command matches within lines exactly what it matches in each line alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gistapi.cli.linewise import LineEndError, linewise

CLASSES = (
    r"[^a] [\s\S] [a\s] [^\S] [\x00-\x7f] [\t-\r] [\W\d] []a] [^]a] [\]^] [\s^-] [a-] [\-\s] [\b]"
)
OTHERS = r"a b . \s \S \w \W \d \D (?:a|b) ^ $ \\ \. \x41 \u0041 \101 (?#a[b\n) \b [\b]"
PIECES = st.sampled_from([*CLASSES.split(), *OTHERS.split()])
QUANTIFIERS = st.sampled_from(["", "*", "+", "?", "{2}", "*?"])
PATTERNS = st.lists(st.tuples(PIECES, QUANTIFIERS), min_size=1, max_size=5).map(
    lambda parts: "".join(
        piece + ("" if piece in "^$" or piece[:3] == "(?#" or piece == r"\b" else count)
        for piece, count in parts
    )
)
TEXTS = st.text(alphabet="aAb1 \t\r\n.\\]^-\x08é\u2028", max_size=20)


@given(PATTERNS, TEXTS, st.sampled_from([0, re.IGNORECASE, re.DOTALL]))
def test_matches_are_those_of_each_line(pattern: str, text: str, flags: int) -> None:
    """This holds for generated patterns and texts, with and without `dotall`."""
    rewritten = linewise(f"(?s){pattern}" if flags == re.DOTALL else pattern)
    found = [match.span() for match in re.compile(rewritten, flags | re.MULTILINE).finditer(text)]
    expected = []
    start = 0
    for line in text.split("\n"):
        # `re` sees the end of the line, as it would before a newline.
        compiled = re.compile(pattern, flags | re.MULTILINE)
        expected += [(start + m.start(), start + m.end()) for m in compiled.finditer(line)]
        start += len(line) + 1
    assert found == expected


@pytest.mark.parametrize(
    "pattern",
    ["\n", r"\n", r"a\x0a", r"\u000a", r"\U0000000a", r"\012", r"\N{LINE FEED}", r"[\n]", "[\n\n]"],
)
def test_a_line_end_is_refused(pattern: str) -> None:
    """Such a pattern needs -U, as in ripgrep."""
    with pytest.raises(LineEndError):
        linewise(pattern)


@pytest.mark.parametrize(
    ("pattern", "rewritten"),
    [
        ("(?x) a \n b # [\n", "(?x) a \n b # [\n"),
        (r"(?P<n>.)(?P=n)", r"(?P<n>.)(?P=n)"),
        (r"(?s).", r"(?s)[^\n]"),
        (r"(?i:x)(?<=[^a])", r"(?i:x)(?<=[^a\n])"),
        (r"\N{DIGIT ONE}\$", r"\N{DIGIT ONE}\$"),
        (r"[\n\t]", r"[\t]"),
    ],
)
def test_the_rest_of_the_syntax_stays(pattern: str, rewritten: str) -> None:
    """Comments, names and escapes are copied unchanged."""
    assert linewise(pattern) == rewritten
