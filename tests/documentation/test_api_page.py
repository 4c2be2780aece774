"""docs/api.md and the program agree."""

from __future__ import annotations

import json
import re

import pytest

from gistapi.web import create_web
from gistapi.web.error_table import TABLE
from gistapi.web.protection import cors
from gistapi.web.schema import SearchRequest
from tests.serving import ROOT
from tests.web.searches import Searches

PAGE = (ROOT / "docs/api.md").read_text("utf-8")


def table(heading: str) -> list[list[str]]:
    """The rows of the table that begins with this heading, as cells."""
    _, _, rest = PAGE.partition(f"\n| {heading} |")
    assert rest, heading
    rows = rest.partition("\n\n")[0].splitlines()[2:]
    return [row.strip("| ").split(" | ") for row in rows]


def test_the_table_of_errors_is_the_programs() -> None:
    """Row by row, word by word."""
    expected = [[str(row.status), f"`{row.code}`", row.when] for row in TABLE]
    assert table("HTTP") == expected


def test_every_field_is_there_with_its_default() -> None:
    """In the order of the schema's groups; no other field is named."""
    rows = {name: row for row in table("field") for name in re.findall(r"`(\w+)`", row[0])}
    assert set(rows) == set(SearchRequest.model_fields)
    for name, field in SearchRequest.model_fields.items():
        default = rows[name][2].strip("` ")
        if field.is_required():
            assert default == "required"
        elif isinstance(field.default, bool):
            assert default == "false"
        elif isinstance(field.default, int):
            assert default == str(field.default)


def test_every_bound_of_a_number_is_told() -> None:
    """`1 to 1,000`, and the like."""
    rows = {name: row for row in table("field") for name in re.findall(r"`(\w+)`", row[0])}
    for name in ("max_count", "context", "limit"):
        bounds = {
            kind: getattr(bound, kind)
            for bound in SearchRequest.model_fields[name].metadata
            for kind in ("ge", "le")
            if hasattr(bound, kind)
        }
        assert rows[name][1] == f"{bounds['ge']:,} to {bounds['le']:,}"


def test_every_address_is_there_and_no_other() -> None:
    """Method and path."""
    routes = {
        f"{method} {rule.rule}"
        for rule in create_web(Searches()).url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if "<" not in rule.rule
    }
    assert {
        name for row in table("method and path") for name in re.findall(r"`([^`]+)`", row[0])
    } == routes


def test_every_header_of_a_request_may_be_sent_by_other_sites() -> None:
    """CORS allows what the page names."""
    named = {name for row in table("header") for name in re.findall(r"`([A-Z][\w-]+)", row[0])}
    assert named <= set(cors.ALLOWED)


@pytest.mark.parametrize("example", re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL))
def test_every_example_is_json(example: str) -> None:
    """One object each."""
    assert isinstance(json.loads(example), dict)
