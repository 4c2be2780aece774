"""docs/api.md and the program agree on errors, bounds and headers."""

from __future__ import annotations

import re

from gistapi.web.error_table import TABLE
from gistapi.web.protection import cors
from gistapi.web.schema import SearchRequest
from tests.serving import ROOT

PAGE = (ROOT / "docs/api.md").read_text("utf-8")


def table(heading: str) -> list[list[str]]:
    """The rows of the table that begins with this heading, as cells."""
    _, _, rest = PAGE.partition(f"\n| {heading} |")
    assert rest, heading
    rows = re.split(r"\n\n|\n<!--", rest, maxsplit=1)[0].splitlines()[2:]
    return [row.strip("| ").split(" | ") for row in rows]


def test_the_table_of_errors_is_the_programs() -> None:
    """ErrorRow by row, word by word."""
    expected = [[str(row.status), f"`{row.code}`", row.when] for row in TABLE]
    heading = re.search(r"\n\| (\w+) \| code \|", PAGE)
    assert heading
    assert table(heading[1]) == expected


def test_every_field_is_there() -> None:
    """And no other is named."""
    named = {name for row in table("field") for name in re.findall(r"`(\w+)`", row[0])}
    assert named == set(SearchRequest.model_fields)


def test_every_bound_of_a_number_is_reported() -> None:
    """`1 to 1,000`, and the like."""
    rows = {row[0].strip("`"): row for row in table("field")}
    for name in ("max_count", "context", "limit"):
        bounds = {
            kind: getattr(bound, kind)
            for bound in SearchRequest.model_fields[name].metadata
            for kind in ("ge", "le")
            if hasattr(bound, kind)
        }
        assert rows[name][1] == f"{bounds['ge']:,} to {bounds['le']:,}"


def test_every_header_of_a_request_may_be_sent_by_other_sites() -> None:
    """CORS allows what the page names."""
    named = set(re.findall(r"`(X-(?:API-Key|GitHub-Token|Captcha))", PAGE))
    assert len(named) == 3
    assert named <= set(cors.ALLOWED)
