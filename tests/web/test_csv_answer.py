"""The answer as CSV."""

from __future__ import annotations

import csv
import io

from gistapi.models import Begin, Incomplete
from tests.web.searches import Searches, end, match

CSV = {"Accept": "text/csv"}


def test_each_match_is_a_row() -> None:
    """There is a header row, lines end as in RFC 4180, and details are implied."""
    answer = Searches([Begin(), match(2), match(1), end(2)]).post(headers=CSV)
    assert answer.mimetype == "text/csv"
    assert answer.data.count(b"\r\n") == 3
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["gist"] for row in rows] == [f"https://gist.github.com/{n}" for n in (2, 1)]
    assert rows[0]["file"] == "a.py"
    assert rows[0]["text"] == "import requests"
    assert rows[0]["url"].endswith("#file-a-py-L1")


def test_the_http_headers_have_the_summary() -> None:
    """They say whether the answer is partial, how much is missing, and how to continue."""
    gap = Incomplete(None, None, "deadline", "The deadline has passed.")
    answer = Searches([Begin(), gap, end(partial=True, following="c1")]).post(headers=CSV)
    head = {name: answer.headers.get(f"Search-{name}") for name in ("Status", "Incomplete", "Next")}
    assert head == {"Status": "partial", "Incomplete": "1", "Next": "c1"}
    whole = Searches().post(headers=CSV)
    assert whole.headers["Search-Status"] == "success"
    assert "Search-Next" not in whole.headers


def test_a_cell_is_never_a_formula() -> None:
    """A spreadsheet treats untrusted text as text."""
    answer = Searches([Begin(), match(1, "=cmd|' /C calc'!A0"), end(1)]).post(headers=CSV)
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert row["file"] == "'=cmd|' /C calc'!A0"


def test_an_error_is_json() -> None:
    """Errors have no CSV form."""
    answer = Searches().post(headers=CSV, limit=0)
    assert (answer.status_code, answer.mimetype) == (400, "application/json")
