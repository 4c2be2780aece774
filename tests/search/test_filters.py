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


@pytest.mark.parametrize(
    ("globs", "wanted"),
    [
        ([], ["a.py", "test_a.py", "a.rs"]),
        (["*.py", "!test_*"], ["a.py"]),
        (["!test_*", "*.py"], ["a.py", "test_a.py"]),
        (["!*.py"], ["a.rs"]),
    ],
)
def test_globs_select_files(globs: list[str], wanted: list[str]) -> None:
    """The last glob that matches decides; with an including glob, other names are excluded."""
    chosen = Filter(Query("octocat", "x", files=tuple(globs)))
    assert [n for n in ("a.py", "test_a.py", "a.rs") if chosen.wants_file(named(n))] == wanted


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
