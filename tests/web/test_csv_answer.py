"""The answer as a table."""

from __future__ import annotations

import csv
import io

from gistapi.models import Begin, Incomplete
from tests.web.searches import Searches, end, match

CSV = {"Accept": "text/csv"}


def test_each_match_is_a_row() -> None:
    """With a head, lines ended as RFC 4180 says, and the details without being asked for."""
    answer = Searches([Begin(), match(2), match(1), end(2)]).post(headers=CSV)
    assert answer.mimetype == "text/csv"
    assert answer.data.count(b"\r\n") == 3
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["gist"] for row in rows] == [f"https://gist.github.com/{n}" for n in (2, 1)]
    assert rows[0]["file"] == "a.py"
    assert rows[0]["text"] == "import requests"
    assert rows[0]["url"].endswith("#file-a-py-L1")


def test_what_a_table_cannot_say_is_in_the_head() -> None:
    """Whether it is partial, how much is missing, and how to continue."""
    gap = Incomplete(None, None, "deadline", "The deadline has passed.")
    answer = Searches([Begin(), gap, end(partial=True, following="c1")]).post(headers=CSV)
    head = {name: answer.headers.get(f"Search-{name}") for name in ("Status", "Incomplete", "Next")}
    assert head == {"Status": "partial", "Incomplete": "1", "Next": "c1"}
    whole = Searches().post(headers=CSV)
    assert whole.headers["Search-Status"] == "success"
    assert "Search-Next" not in whole.headers


def test_a_cell_is_no_formula() -> None:
    """Strangers' text is text to a spreadsheet."""
    answer = Searches([Begin(), match(1, "=cmd|' /C calc'!A0"), end(1)]).post(headers=CSV)
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert row["file"] == "'=cmd|' /C calc'!A0"


def test_an_error_is_json() -> None:
    """There is no table of errors."""
    answer = Searches().post(headers=CSV, limit=0)
    assert (answer.status_code, answer.mimetype) == (400, "application/json")
