"""The forms in which a gist can be given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gistapi.search.gist_ids import gist_id

ID = "6cad326836d38bd3a7ae"
LONG = "aa5a315d61ae9438b18d0123456789ab"
REVISION = "57a7f021a713b1c5a6a199b54cc514735d2d462f"


@pytest.mark.parametrize("named", [ID, LONG, "12345678", "54321"])
@pytest.mark.parametrize(
    "form",
    [
        "{}",
        " {} ",
        "https://gist.github.com/{}",
        "https://gist.github.com/{}/",
        "http://gist.github.com/{}",
        "gist.github.com/{}",
        "https://gist.github.com/octocat/{}",
        "https://gist.github.com/{}.git",
        "git@gist.github.com:{}.git",
        "git@gist.github.com:octocat/{}.git",
        "https://gist.github.com/octocat/{}.git",
        "https://gist.github.com/octocat/{}/" + REVISION,
        "https://gist.github.com/{}/" + REVISION,
        "https://gist.github.com/octocat/{}/revisions",
        "https://gist.github.com/octocat/{}#file-a-py-L3",
        "https://gist.github.com/octocat/{}?permalink_comment_id=1#gistcomment-1",
        "https://gist.github.com/octocat/{}/raw/" + REVISION + "/a.py",
        "https://gist.githubusercontent.com/octocat/{}/raw/" + REVISION + "/a.py",
        "https://ghe.example.com/gist/{}",
        "https://ghe.example.com/gist/octocat/{}",
        "https://ghe.example.com:8443/gist/octocat/{}#file-a",
        "https://gist.ghe.example.com/octocat/{}",
        "https://gist.github.com/123456/{}",
    ],
)
def test_every_form_names_the_gist(form: str, named: str) -> None:
    """An ID, or the address of a page, revision, repository or file, on any GitHub server."""
    assert gist_id(form.format(named)) == named
    assert gist_id(form.format(named.upper())) == named


@pytest.mark.parametrize(
    "text",
    ["", "?", "octocat", "6cad", REVISION, f"https://example.com/{ID}x", f"{ID} {ID}", "x" * 600],
)
def test_anything_else_is_refused(text: str) -> None:
    """The message names both forms."""
    with pytest.raises(ValueError, match="ID or its address"):
        gist_id(text)


@given(st.text())
def test_any_text_is_an_id_or_is_refused(text: str) -> None:
    """The result is an ID that can be part of a URL."""
    try:
        found = gist_id(text)
    except ValueError:
        return
    assert found.isalnum()
    assert found.isascii()
