"""The OpenAPI description is valid, complete, and true of the running service."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from gistapi.models import Begin, Incomplete, Progress, SearchEvent
from gistapi.search.report import REASONS, ErrorCode
from gistapi.web import create_web
from gistapi.web.error_table import TABLE
from tests.fake_github import FakeGithub
from tests.fake_github.demo import populate
from tests.serving import ROOT, environment, run, serving
from tests.web.searches import NDJSON, PROBLEM, SEARCH, Searches, end, match

PAGES = {"/", "/docs"}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """Return the description as a client gets it."""
    answer = create_web(Searches()).test_client().get("/openapi.json")
    assert answer.mimetype == "application/json"
    loaded: dict[str, Any] = answer.get_json()
    return loaded


def check(described: dict[str, Any], name: str, value: object) -> None:
    """Validate a value by a named schema, in which undescribed keys are errors."""
    schemas = json.loads(json.dumps(described["components"]["schemas"]))
    for schema in schemas.values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    root = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
    faults = [error.message for error in Draft202012Validator(root).iter_errors(value)]
    assert faults == []


def test_it_is_valid_openapi(described: dict[str, Any]) -> None:
    """It conforms to the official schema of OpenAPI 3.1, and every reference can be resolved."""
    assert described["openapi"].startswith("3.1.")
    validate(described)


def test_every_route_is_described_and_nothing_else(described: dict[str, Any]) -> None:
    """Paths and methods are the application's, except its HTML pages."""
    app: Flask = create_web(Searches())
    routes = {
        (rule.rule, method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS", "QUERY"}
        if rule.rule not in PAGES and "<" not in rule.rule
    }
    paths = described["paths"].items()
    assert {(path, method) for path, item in paths for method in item} == routes


def test_every_error_code_and_reason_is_described(described: dict[str, Any]) -> None:
    """The search has all codes but those of other paths and methods."""
    responses = described["paths"][SEARCH]["post"]["responses"]
    named = {
        code
        for status, response in responses.items()
        if status != "200"
        for code in response["content"]["application/json"].get("examples", ())
    }
    elsewhere = {"not_found", "method_not_allowed", "range_not_satisfiable"}
    assert named == set(get_args(ErrorCode)) - elsewhere
    assert {row.code for row in TABLE} == set(get_args(ErrorCode))
    reason = described["components"]["schemas"]["IncompleteEntry"]["properties"]["reason"]
    assert reason["enum"] == list(REASONS)


def test_every_example_is_valid(described: dict[str, Any]) -> None:
    """These are requests, answers, lines and errors."""
    operation = described["paths"][SEARCH]["post"]
    contents = [operation["requestBody"]["content"]]
    contents += [response["content"] for response in operation["responses"].values()]
    seen = 0
    for content in contents:
        for kind, media in content.items():
            for example in media.get("examples", {}).values():
                value, schema = example["value"], media["schema"]
                if kind == "text/csv":
                    assert value.endswith("\r\n")
                elif kind == "application/x-ndjson":
                    for line in value.splitlines():
                        check(
                            described, schema["items"]["$ref"].rpartition("/")[2], json.loads(line)
                        )
                else:
                    check(described, schema["$ref"].rpartition("/")[2], value)
                seen += 1
    assert seen > 30


def test_real_answers_are_valid(described: dict[str, Any]) -> None:
    """These are a plain answer, every line of a stream, and both forms of an error."""
    gap = Incomplete("https://gist.github.com/7", "b.txt", "pattern_timeout", "Too slow.")
    named: list[SearchEvent | BaseException] = [
        Begin(),
        match(2),
        Progress(3, None, 5, 99),
        gap,
        end(1, partial=True, following="c"),
    ]
    searches = Searches(named)
    check(described, "SearchAnswer", searches.post(details=True).get_json())
    lines = searches.post(headers=NDJSON).data.splitlines()
    assert len(lines) == 5
    for line in lines:
        check(described, "Line", json.loads(line))
    check(described, "ErrorAnswer", searches.post(limit=0).get_json())
    check(described, "ProblemDetails", searches.post(limit=0, headers=PROBLEM).get_json())


def test_the_request_schema_has_the_services_bounds(
    described: dict[str, Any],
) -> None:
    """Generated clients know fields, types and bounds by it."""
    with pytest.raises(AssertionError, match="1001"):
        check(described, "SearchRequest", {"username": "a", "pattern": "x", "limit": 1001})
    for wrong in ({"username": "a b"}, {"pattern": ""}, {"files": [7]}, {"color": "red"}):
        with pytest.raises(AssertionError):
            check(described, "SearchRequest", {"username": "a", "pattern": "x"} | wrong)


def test_schemathesis_finds_no_fault(github: FakeGithub, tmp_path: Path) -> None:
    """It tests the running service, with a fixed number of cases; see `openapi_checks`."""
    populate(github.world)
    (tmp_path / "schemathesis.toml").write_text(
        "[checks.negative_data_rejection]\n"
        'expected-statuses = ["400", "401", "403", "404", "405", "413", "415", "431"]\n'
    )
    with serving(github) as service:
        done = run(
            str(Path(sys.executable).parent / "schemathesis"),
            "run",
            f"{service.url}/openapi.json",
            "--max-examples=100",
            "--generation-deterministic",
            "--phases=examples,coverage,fuzzing",
            # OpenAPI 3.1 cannot describe the method QUERY.
            "--exclude-checks=positive_data_acceptance,unsupported_method,allow_header_conformance",
            "--no-color",
            environ=environment()
            | {"SCHEMATHESIS_HOOKS": "tests.web.openapi_checks", "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            timeout=550,
        )
    assert done.returncode == 0, done.stdout
    tested = re.search(r"(\d+) generated, \1 passed", done.stdout)
    assert tested, done.stdout
    assert int(tested[1]) > 150
