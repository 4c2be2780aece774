"""Filters: which gists and files are searched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gistapi.models import Gist, GistFile, Query
from gistapi.search.filters import Filter

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def named(name: str, language: str | None = None) -> GistFile:
    """A file with that name."""
    return GistFile(name, None, None, language, None)


def fits(globs: list[str], name: str) -> bool:
    """Whether a query with these globs includes that name."""
    return Filter(Query("octocat", "x", files=tuple(globs))).wants_file(named(name))


@pytest.mark.parametrize(
    ("globs", "name", "wanted"),
    [
        ([], "anything", True),
        (["*.py"], "a.py", True),
        (["*.py"], "a.pyc", False),
        (["*.py"], "A.PY", False),
        (["*.py"], ".hidden.py", True),
        (["/a.py"], "a.py", True),
        (["*.py"], "new\nline.py", True),
        (["*.{py,md}"], "a.md", True),
        (["*.{py,md}"], "a.rs", False),
        (["{a,b}.{c,d{e,f}}"], "b.df", True),
        (["{a,b}.{c,d{e,f}}"], "b.d", False),
        (["!*.py"], "a.py", False),
        (["!*.py"], "a.rs", True),
        (["*.py", "!test_*"], "test_a.py", False),
        (["*.py", "!test_*"], "a.py", True),
        (["*.py", "!test_*"], "a.rs", False),
        (["!test_*", "*.py"], "test_a.py", True),
        (["[ab].py"], "b.py", True),
        (["[!ab].py"], "b.py", False),
        (["[^ab].py"], "c.py", True),
        ([r"\*.py"], "*.py", True),
        ([r"\*.py"], "a.py", False),
        (["??.py"], "é.py", True),
        (["**/*.py"], "a.py", True),
    ],
)
def test_globs_select_files_as_in_ripgrep(globs: list[str], name: str, *, wanted: bool) -> None:
    """The last glob that matches decides; with an including glob, other names are excluded."""
    assert fits(globs, name) is wanted


def test_a_glob_takes_linear_time() -> None:
    """Many stars over a long name that almost matches end, where backtracking never would."""
    assert not fits(["*a" * 40 + "b"], "a" * 250)


def test_the_total_length_of_globs_is_bounded() -> None:
    """Globs that are short by themselves are refused together, before any gist is searched."""
    with pytest.raises(ValueError, match="at most 4,096 bytes"):
        fits(["{" + ",".join("abcdefgh") + "}" + "." * 20] * 25, "a")


def test_languages_ignore_case() -> None:
    """GitHub's name matches in any case; a file without a language matches none."""
    wanted = Filter(Query("octocat", "x", languages=("python", "C++")))
    assert wanted.by_language
    assert wanted.wants_file(named("a", "Python"))
    assert wanted.wants_file(named("a", "c++"))
    assert not wanted.wants_file(named("a", "C"))
    assert not wanted.wants_file(named("a", None))
    assert not Filter(Query("octocat", "x")).by_language


@pytest.mark.parametrize(
    ("hours", "wanted"), [(-1, False), (0, True), (1, True), (2, True), (3, False)]
)
def test_both_ends_of_a_time_span_are_included(hours: int, *, wanted: bool) -> None:
    """`updated_since` and `updated_until` are inclusive."""
    gist = Gist(
        "1", "u", None, NOON, NOON + timedelta(hours=hours), (), truncated=False, git_pull_url=None
    )
    span = Query("o", "x", updated_since=NOON, updated_until=NOON + timedelta(hours=2))
    assert Filter(span).wants(gist) is wanted
