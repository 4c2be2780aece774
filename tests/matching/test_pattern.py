"""Compiling patterns: what is accepted, what is refused with which message, and the cost."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gistapi.errors import InvalidPatternError
from gistapi.matching import compile_pattern, is_plain, pattern, worker
from gistapi.models import Flags
from tests.matching.reference import python_compile

PLAIN = Flags()
GROUPS = "(" * 450 + ")" * 450
COSTLY = [GROUPS, "((a{1000}){1000}){1000}", r"\w" * 500, r"\w{1000}", "[^x]" * 250]
COSTLY += ["[^x]" * 200 + "x" * 200, "(" * 90 + "a*" + ")*" * 90, "(?:a?){999}" * 50, "a|" * 499]
COSTLY += ["".join(f"[\\w{chr(c)}]" for c in range(0x400, 0x4A0)), "[\x00-\uffff]" * 190]
COSTLY += [
    "".join(f"[^{chr(c)}-{chr(c + 9)}]" for c in range(0x400, 0x480)),
    "(?:" * 200 + ")" * 200,
]
COSTLY += ["(?:(?:(?:a{30}){30}){30}){30}", "(?=" * 90 + ")" * 90, "a{999999999}", "(a*)*" * 150]
COSTLY += [r"(?a)" + r"\D" * 498, r"\w|" * 333 + "a", "[a-c]{0,1000}" * 20, "[\x80-\uffff]" * 190]
COSTLY += ["|".join(f"[^\\d{chr(c)}]" for c in range(0x400, 0x48E)), "(?:[a-c]{0,9}b?){0,99}" * 20]
COSTLY += ["(?:.{0,999}x){0,999}", "[" + "".join(map(chr, range(0x10400, 0x10780))) + "]"]


FAULTY = r"""
( a) [ a** *a \1 (?P<x>a)(?P<x>b) (?P=x) x{2,1} (?<=a*)b \q (?<x>a) a(?i)b (?P<1>a) [z-a]
a{99999999999} (?a)(?u) (?au)x (?L)x (? (?< \ (?(1)a|b|c) (?(2)a) (?i-i:a) (?x)(#) \N{nope} \xg
"""
"""Patterns that `re` refuses, or some of its versions."""


@pytest.mark.parametrize("flags", [PLAIN, Flags(ignore_case=True), Flags(word=True)])
@pytest.mark.parametrize("source", COSTLY, ids=lambda source: source[:12])
def test_costly_patterns_are_compiled_or_refused_quickly(source: str, flags: Flags) -> None:
    """Both forms within 0.25 s (four times that here, for a loaded machine)."""
    pattern.warm()
    began = time.thread_time()
    reason = ""
    try:
        compiled = compile_pattern(source, flags)
        assert {compiled.ascii.name, compiled.unicode.name} <= {"re", "re2"}
    except InvalidPatternError as error:
        reason = error.reason
    assert not reason or "too" in reason
    assert time.thread_time() - began < 1.0


@pytest.mark.parametrize(
    ("source", "flags", "literal"),
    [
        ("import requests", PLAIN, "import requests"),
        ("a.c", Flags(fixed_string=True), "a.c"),
        (r"https?://\S+", PLAIN, "http"),
        (r"\bdef\s+main\s*\(", PLAIN, "main"),
        ("kettle", Flags(word=True), "kettle"),
        ("(?P<a>ab)(?:c)d", PLAIN, "abcd"),
        ("(?>ab)c", PLAIN, "abc"),
        (r"x(?=y)(?!z)ab\b.", PLAIN, "xab"),
        ("(?:tea)+s", PLAIN, "tea"),
        ("(?:tea){2,}?", PLAIN, "tea"),
        ("(?:tea)*s", PLAIN, "s"),
        ("tea|coffee", PLAIN, ""),
        ("foobar|foobaz", PLAIN, "fooba"),
        ("(?=tea)|x", PLAIN, ""),
        ("(t)ea\\1", PLAIN, "tea"),
        ("[t]ea[sz]", PLAIN, "tea"),
        ("tea", Flags(ignore_case=True), ""),
        ("(?i)tea", PLAIN, ""),
        ("(?i:tea)pot", PLAIN, "pot"),
        ("(?i)tea(?-i:pot)", PLAIN, "pot"),
        ("70 °C 🍵", PLAIN, "70 °C 🍵"),
        ("(?x) # nothing", PLAIN, ""),
    ],
)
def test_the_required_literal(source: str, flags: Flags, literal: str) -> None:
    """It is the longest run of characters outside of alternatives, repeats and case folding."""
    compiled = compile_pattern(source, flags)
    assert compiled.literal.decode() == literal
    assert compiled.lacks_literal(b"nothing of it") == bool(literal)
    assert not compiled.lacks_literal(f"- {literal} -".encode())


def test_re2_searches_long_texts_for_a_literal_prefix() -> None:
    """A pattern that begins with a literal is fast in RE2 by itself."""
    long = b"nothing of it" * 2000
    assert not compile_pattern("import requests", PLAIN).lacks_literal(long)
    assert compile_pattern(r"\bimport requests", PLAIN).lacks_literal(long)


@pytest.mark.parametrize(
    ("source", "flags", "plain"),
    [
        ("import requests", PLAIN, True),
        ("^70.5 °C$", PLAIN, True),
        ("x" * 100, PLAIN, True),
        ("x" * 101, PLAIN, False),
        ("a+", Flags(fixed_string=True), True),
        ("tea", Flags(ignore_case=True), False),
        ("tea", Flags(word=True), False),
        *((f"a{character}", PLAIN, False) for character in "\\[](){}*+?|"),
    ],
)
def test_engines_of_plain_patterns_are_compiled_when_they_are_needed(
    source: str,
    flags: Flags,
    plain: bool,  # noqa: FBT001
) -> None:
    """Others can take longer to compile than the loop may, and are compiled in a thread."""
    assert is_plain(source, flags) is plain
    with suppress(InvalidPatternError):
        assert ("unicode" not in vars(compile_pattern(source, flags))) is plain


def test_common_patterns_are_not_too_costly() -> None:
    """Django's URLValidator repeats a range of 65,375 characters, ignoring case."""
    labels = "[a-z\u00a1-\uffff0-9](?:[a-z\u00a1-\uffff0-9-]{0,61}[a-z\u00a1-\uffff0-9])?"
    compiled = compile_pattern(rf"https?://{labels}(?:\.{labels})*\.", Flags(ignore_case=True))
    assert compiled.ascii.name == "re2"


def test_costly_patterns_take_little_memory() -> None:
    """A process that compiles all of them, for RE2 and for `re`, stays below 100 MB."""
    program = (
        "from pathlib import Path\n"
        "from contextlib import suppress\n"
        "from gistapi.errors import InvalidPatternError\n"
        "from gistapi.matching import compile_pattern, worker\n"
        "from gistapi.models import Flags\n"
        "from tests.matching.test_pattern import COSTLY\n"
        "for source in COSTLY:\n"
        "    with suppress(InvalidPatternError):\n"
        "        compiled = compile_pattern(source, Flags(ignore_case=True))\n"
        "        worker.searcher('re', source, False, compiled.python.flags, False)\n"
        "print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, timeout=60, check=True
    )
    assert int(ended.stdout) < 100 << 10


@pytest.mark.parametrize("source", FAULTY.split())
@pytest.mark.parametrize("flags", [PLAIN, Flags(word=True), Flags(ignore_case=True)])
def test_errors_have_pythons_message_and_position(source: str, flags: Flags) -> None:
    """Message and offset are those of `re.compile` for the pattern as it was sent."""
    try:
        re.compile(source)
    except re.error as error:
        wanted: tuple[str, int | None] = error.msg, error.pos
    except (OverflowError, ValueError) as error:
        wanted = str(error), None
    else:
        wanted = "", None
    if wanted == ("", None):
        compile_pattern(source, flags)
        return
    with pytest.raises(InvalidPatternError) as caught:
        compile_pattern(source, flags)
    assert (caught.value.reason, caught.value.position) == wanted


@given(st.text(st.sampled_from("()[]{}?*+|\\^$.ab1,<>=!:PiaxuLms-#\n \ud800é"), max_size=30))
def test_no_pattern_crashes(source: str) -> None:
    """Any text compiles if `re` compiles it, and else raises an InvalidPatternError."""
    try:
        python_compile(source, 0)
        valid = bool(source) and "\ud800" not in source
    except (re.error, OverflowError, ValueError):
        valid = False
    try:
        compile_pattern(source, PLAIN)
    except InvalidPatternError:
        assert not valid
    else:
        assert valid


@pytest.mark.parametrize(
    "source", ["[[a]", "[a--b]", "[a&&b]", "(x)?(?(１)a|b)", "(?P<ａ>a)(?P=ａ)"]
)
def test_warnings_are_suppressed(source: str) -> None:
    """A warning of some Python version is not the caller's error, and nothing is printed."""
    try:
        python_compile(source, 0)
    except re.error as error:  # Python 3.12 and later, for a group's number in other digits
        with pytest.raises(InvalidPatternError, match=re.escape(error.msg)):
            compile_pattern(source, PLAIN)
    else:
        assert compile_pattern(source, PLAIN).source == source


@pytest.mark.parametrize(
    ("source", "position"), [("", 0), ("a\ud800", 1), ("x" * 1001, 1000), ("(" * 900, None)]
)
def test_invalid_patterns_are_refused(source: str, position: int | None) -> None:
    """Empty, too long, lone surrogates or too deep, with a position where there is one."""
    with pytest.raises(InvalidPatternError) as caught:
        compile_pattern(source, PLAIN)
    assert caught.value.position == position or source.startswith("(")


@pytest.mark.parametrize("room", [200, 400, 600, 800])
@pytest.mark.parametrize("source", ["(" * 190 + ")" * 190, "(?:a|(" * 99 + ")b)" * 99])
def test_deep_patterns_never_overflow_the_stack(source: str, room: int) -> None:
    """They compile or are refused however little of the stack is left."""

    def deeper(levels: int) -> str:
        if levels:
            return deeper(levels - 1)
        try:
            return compile_pattern(source, PLAIN).ascii.name
        except InvalidPatternError as error:
            return error.reason

    used = len(inspect.stack(0))
    assert deeper(sys.getrecursionlimit() - used - room) in {"re2", "re", "too deeply nested"}


def test_fixed_strings_are_literal() -> None:
    """With `fixed_string` no character is special; `word` still requires word boundaries."""
    compiled = compile_pattern("a.(b", Flags(fixed_string=True))
    assert compiled.ascii.compiled.search(b"xa.(b") is not None
    assert compiled.ascii.compiled.search(b"xaa(b") is None


@pytest.mark.parametrize("source", ["a|b", "a#", "(?i)a", "(?x)a b # c", "a\nb", "(?P<n>a)(?P=n)?"])
def test_word_wraps_the_pattern_as_a_whole(source: str) -> None:
    """Its word boundaries surround the whole pattern, alternatives and comments included."""
    compiled = compile_pattern(source, Flags(word=True)).python
    search = worker.searcher(*compiled.key)
    inner = re.compile(source)
    for text in ["a", "xa", "b a", "ax b", "ab", "A", "a# x", "a_b", "a\nb", "éa", "aa a"]:
        data = text.encode()
        starts = [
            i
            for i in range(len(text) + 1)
            for e in range(i, len(text) + 1)
            if inner.fullmatch(text, i, e)
            and not re.match(r"\w", text[i - 1 : i] if i else "")
            and not re.match(r"\w", text[e : e + 1])
        ]
        found = [
            start
            for start, _ in worker.found(search, data, (0, len(data), len(data) + 1, 1, False))
        ]
        assert found[:1] == [len(text[:start].encode()) for start in starts[:1]], text


def test_re2_prints_nothing_to_stderr() -> None:
    """Its log lines are suppressed, even when its automaton exceeds its memory."""
    program = (
        "import random\n"
        "from gistapi.matching import compile_pattern\n"
        "from gistapi.models import Flags\n"
        "compiled = compile_pattern('[ab]{400}y|[ab]{399}z|[ab]{398}w', Flags()).ascii.compiled\n"
        "compiled.search(bytes(random.Random(1).choices(b'ab', k=20000)))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=60, check=True
    )
    assert ended.stderr == b""
