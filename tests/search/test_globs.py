"""Globs select the files that ripgrep selects, in bounded time."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gistapi.search.globs import MAX_GLOBS, MAX_SIZE, Globs

RIPGREP = Path(sys.executable).with_name("rg")
LETTERS = "ab!#-[]{},\\*?^. é"
MARKS = st.sampled_from(["*", "*", "**", "**/", "?", "[", "]", "{", "}", ",", "!", "^", "/", "\\"])
LITERALS = st.sampled_from(
    ["a", "a", "b", "b", "-", "#", " ", ".", "é", *(f"\\{letter}" for letter in LETTERS)]
)
CLASSES = st.tuples(
    st.sampled_from(["[", "[!", "[^"]), st.text(LETTERS, min_size=1, max_size=4), st.just("]")
).map("".join)
PARTS = st.recursive(
    st.one_of(LITERALS, CLASSES, st.sampled_from("*?"), MARKS),
    lambda parts: st.lists(st.lists(parts, max_size=2).map("".join), max_size=3).map(
        lambda branches: "{" + ",".join(branches) + "}"
    ),
    max_leaves=6,
)
GLOBS = st.builds(
    str.__add__, st.sampled_from(["", "", "!"]), st.lists(PARTS, max_size=4).map("".join)
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[str], set[str]]:
    """Draw globs, and names of the letters in them."""
    patterns = draw(st.lists(GLOBS, min_size=1, max_size=3))
    letters = sorted({"a", *"".join(patterns)} - {"/"})
    names = st.text(letters, min_size=1, max_size=4).filter(lambda name: name not in {".", ".."})
    return patterns, draw(st.sets(names, min_size=4, max_size=16))


def ripgrep(patterns: list[str], names: set[str]) -> set[str] | None:
    """Return the names that `rg -g` selects, None if it refuses a glob."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            Path(folder, name).touch()
        options = ["--files", "--null", "--hidden", "--no-ignore", "--no-config"]
        found = subprocess.run(
            [RIPGREP, *options, *(f"--glob={pattern}" for pattern in patterns)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if found.returncode == 2:
        assert "error parsing glob" in found.stderr
        return None
    return set(found.stdout.split("\0")) - {""}


def selected(patterns: list[str], names: set[str]) -> set[str] | None:
    """Return the names that these globs select, None if one is malformed."""
    try:
        wanted = Globs(patterns)
    except ValueError:
        return None
    return {name for name in names if wanted.match(name)}


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
@example((["**/*.a"], {"b.a", "a"}))
@example(([r"\!a", r"\{"], {"!a", "a", "{"}))
@example((["[{,}]"], {"{", ",", "}", "a"}))
@example((["[^!a]", r"\[^a]"], {"b", "[^a]", "!"}))
@example((["a{b,{a,b}a,}"], {"a", "ab", "aaa", "aba"}))
@example((["*", "!a*", "ab"], {"a", "ab", "b"}))
@example((["{**/**,a}b", "{**,a}"], {"b", "ab", "a"}))
@example((["a", "!"], {"a", "b"}))
@example((["/", "#b", "b/", "/**/a"], {"a", "b", "#b"}))
@example((["?", "[é]", "[a-é]?"], {"é", "a", "aa"}))
@example((["*.py"], {"new\nline.py", "A.PY", ".hidden.py", "a.pyc"}))
def test_they_select_what_ripgrep_selects(case: tuple[list[str], set[str]]) -> None:
    """For any globs and names, the selection or the refusal is that of `rg -g`."""
    patterns, names = case
    assert selected(patterns, names) == ripgrep(patterns, names)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a[b", r"The glob a[b has a [ without a ]."),
        ("{a,b", r"The glob {a,b has a { without a }."),
        ("a}", r"The glob a} has a } without a {."),
        ("a\\", "The glob a\\ ends with a backslash."),
        ("[b-a]", "The glob [b-a] has a range that runs backwards, b-a."),
        ("{" * 61, "The glob " + "{" * 60 + "… has a { without a }."),
    ],
)
def test_a_malformed_glob_is_refused_in_words(pattern: str, message: str) -> None:
    """The message has the glob, cut if it is long, and what is wrong with it."""
    with pytest.raises(ValueError, match=r"^The glob ") as refused:
        Globs([pattern])
    assert str(refused.value) == message


@pytest.mark.parametrize(
    "patterns",
    [
        ["*"] * (MAX_GLOBS + 1),
        ["a" * 50] * (MAX_GLOBS - 1),
        ["{a,b}" * 300],
        ["{" * 500 + "a" + ",b}xx" * 500],
        ["{" + "a,b" * 20 + "}{c,d,e}"] * 60,
        [f"{{{','.join(str(number) for number in range(64))}}}"] * MAX_GLOBS,
        ["{a,b,c,d}{a,b,c,d}{a,b,c,d}"] * 20,  # too many only once they are expanded
    ],
)
def test_a_list_of_globs_is_bounded(patterns: list[str]) -> None:
    """Number, characters and alternatives are added up over the list before any is compiled."""
    with pytest.raises(ValueError, match=r"at most|too many alternatives"):
        Globs(patterns)


@pytest.mark.parametrize(
    "patterns",
    [
        ["*a" + "?" * 248] * 16,
        ["*a*b" * 20] * 50,
        ["?" * (MAX_SIZE - 1)],
        ["".join(f"[!{chr(letter)}]" for letter in range(200, 1000))],
        ["{" * 1000 + "a" + "}" * 1000],
    ],
)
def test_matching_globs_is_cheap(patterns: list[str]) -> None:
    """The state is a few integers of MAX_SIZE bits, and each byte of a name is one step."""
    wanted = Globs(patterns)
    steps = 0

    class Counting(list[int | None]):
        def __getitem__(self, byte: int) -> int | None:  # type: ignore[override]
            nonlocal steps
            steps += 1
            return super().__getitem__(byte)

    wanted._steps = Counting(wanted._steps)
    wanted.match("ab" * 125)
    assert steps <= 250
    masks = [wanted._starts, wanted._loops, wanted._ends, *wanted._leads_to.values()]
    assert max(mask.bit_length() for mask in masks) <= MAX_SIZE
