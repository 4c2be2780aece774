"""docs/api.md and the program agree on errors, bounds and headers."""

from __future__ import annotations

import re

from gistapi.web.error_table import TABLE
from gistapi.web.protection import cors
from gistapi.web.schema import SearchRequest
from tests.serving import ROOT

PAGE = (ROOT / "docs/api.md").read_text("utf-8")


def table(heading: str) -> list[list[str]]:
    """The rows of the table with this heading, as cells."""
    _, _, rest = PAGE.partition(f"\n| {heading} |")
    assert rest, heading
    rows = re.split(r"\n\n|\n<!--", rest, maxsplit=1)[0].splitlines()[2:]
    return [row.strip("| ").split(" | ") for row in rows]


def test_the_table_of_errors_is_the_codes() -> None:
    """Rows and texts are those of `error_table.TABLE`."""
    expected = [[str(row.status), f"`{row.code}`", row.when] for row in TABLE]
    heading = re.search(r"\n\| (\w+) \| code \|", PAGE)
    assert heading
    assert table(heading[1]) == expected


def test_the_table_of_fields_is_complete() -> None:
    """It has every field of a request and no other."""
    named = {name for row in table("field") for name in re.findall(r"`(\w+)`", row[0])}
    assert named == set(SearchRequest.model_fields)


def test_every_bound_is_documented() -> None:
    """It is written like `1 to 1,000`."""
    rows = {row[0].strip("`"): row for row in table("field")}
    for name in ("max_count", "context", "limit"):
        bounds = {
            kind: getattr(bound, kind)
            for bound in SearchRequest.model_fields[name].metadata
            for kind in ("ge", "le")
            if hasattr(bound, kind)
        }
        assert rows[name][1] == f"{bounds['ge']:,} to {bounds['le']:,}"


def test_cors_allows_every_documented_request_header() -> None:
    """Pages of other sites may send the headers that the page names."""
    named = set(re.findall(r"`(X-(?:API-Key|GitHub-Token|Captcha))", PAGE))
    assert len(named) == 3
    assert named <= set(cors.ALLOWED)
