"""The strict request."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gistapi.models import Flags, Query
from gistapi.web.problems import InvalidRequestError
from gistapi.web.schema import SearchRequest, parse
from tests.web.searches import SEARCH, Searches

LEAST = {"username": "octocat", "pattern": "x"}


def body(**more: object) -> bytes:
    """A request with more than the least."""
    return json.dumps(LEAST | more).encode()


def refused(sent: bytes) -> tuple[str, list[str]]:
    """The message and the fields with which this body is refused, over HTTP."""
    searches = Searches()
    answer = searches.client().post(SEARCH, data=sent, content_type="application/json")
    told = answer.get_json()
    assert (answer.status_code, told["code"]) == (400, "invalid_request")
    assert searches.asked == []
    return told["message"], [fault["field"] for fault in told.get("errors", [])]


def test_the_least_request_has_every_default() -> None:
    """Only `username` and `pattern` are needed."""
    assert parse(body()).query() == Query("octocat", "x")


def test_every_field_reaches_the_query() -> None:
    """What was asked is what is searched; times are brought to UTC."""
    form = parse(
        body(
            ignore_case=True,
            multiline=True,
            dotall=True,
            fixed_string=True,
            word=True,
            files=["*.py", "!a*"],
            languages=["Python"],
            updated_since="2024-01-01T00:00:00+02:00",
            updated_until="2024-12-31t23:59:59.5z",
            limit=1000,
            cursor="c",
            details=True,
        )
    )
    assert form.details
    assert form.query() == Query(
        username="octocat",
        pattern="x",
        flags=Flags(ignore_case=True, multiline=True, dotall=True, fixed_string=True, word=True),
        files=("*.py", "!a*"),
        languages=("Python",),
        updated_since=datetime(2023, 12, 31, 22, tzinfo=UTC),
        updated_until=datetime(2024, 12, 31, 23, 59, 59, 500000, tzinfo=UTC),
        limit=1000,
        cursor="c",
    )


def test_null_is_the_default_where_that_is_none() -> None:
    """A client may send its unset options."""
    sent = body(limit=None, cursor=None, updated_since=None, updated_until=None)
    assert parse(sent).query() == Query("octocat", "x")


@pytest.mark.parametrize("name", ["a", "-a-", "a--b", "A_b", "0", "x" * 39])
def test_a_github_login_is_a_username(name: str) -> None:
    """Live accounts begin or end with `-`, and have `--` or `_`."""
    assert parse(body(username=name)).username == name


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("username", ["", "x" * 40, "a b", "a\n", "ä", "../a", 7, None, "\ud800"]),
        ("pattern", [7, None, ["x"], True]),
        ("ignore_case", [1, "true", None]),
        ("multiline", [0]),
        ("dotall", ["no"]),
        ("fixed_string", [[]]),
        ("word", [{}]),
        ("details", [1.0]),
        ("files", ["*.py", None, {}, ["a"] * 101, ["*.c", "{a,b}" * 9], ["a[b"]]),
        ("files.0", [[7], [""], ["x" * 256], ["\ud800"]]),
        ("languages", ["Python", None]),
        ("languages.1", [["Python", None]]),
        ("limit", [0, 1001, -1, True, "5", 5.0, 1e999, 10**400]),
        ("cursor", [7, [], "\udfff"]),
        ("updated_since", [0, "", "2024-01-01", "2024-01-01T00:00:00", "2024-01-01 00:00:00Z"]),
        ("updated_until", ["2024-02-30T00:00:00Z", "0001-01-01T00:00:00+02:00", "now", False]),
        ("color", ["red"]),
        ("Pattern", ["x"]),
    ],
)
def test_a_wrong_value_is_refused_and_its_field_named(field: str, values: list[object]) -> None:
    """Each field takes its own type and range, nothing else; no other field is taken."""
    for value in values:
        name, _, _ = field.partition(".")
        sent = json.dumps(LEAST | {name: value}).replace("Infinity", "1e999").encode()
        assert refused(sent)[1] == [field], value


def test_all_faults_are_told_at_once() -> None:
    """A caller does not learn of them one by one."""
    message, fields = refused(b'{"limit": 0, "details": 1, "no": 2}')
    assert fields == ["username", "pattern", "limit", "details", "no"]
    assert message == "The request is not valid: username: Field required."


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    """`updated_since` may be `updated_until`, not later."""
    day = "2024-01-02T00:00:00Z"
    assert parse(body(updated_since=day, updated_until=day)).updated_since
    message, _ = refused(body(updated_since=day, updated_until="2024-01-01T00:00:00Z"))
    assert "updated_since is later than updated_until" in message


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"", "not JSON"),
        (b"[]", "JSON object"),
        (b'"x"', "JSON object"),
        (b"null", "JSON object"),
        (b"{", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"limit": NaN}', "NaN is no JSON value"),
        (b'{"limit": -Infinity}', "-Infinity is no JSON value"),
        (b'{"pattern": "\xff"}', "not UTF-8"),
        (json.dumps(LEAST).encode("utf-16"), "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"limit": ' + b"1" * 5000 + b"}", "too many digits"),
        (b"[" * 32000 + b"]" * 32000, "too deeply"),
        (b'{"a":' * 10000 + b"1" + b"}" * 10000, "too deeply"),
    ],
)
def test_what_is_no_json_object_is_refused(sent: bytes, words: str) -> None:
    """The standard reader's leniences are off, and no nesting breaks it."""
    message, fields = refused(sent)
    assert words in message
    assert fields == []


@pytest.mark.parametrize(
    "sent", [b'{"pattern": 1, "pattern": 1}', b'{"a": {"pattern": 1, "b": 2, "pattern": 3}}']
)
def test_a_duplicate_key_is_refused_and_named(sent: bytes) -> None:
    """Two readers could otherwise read two requests."""
    message, fields = refused(sent)
    assert "more than once" in message
    assert fields == ["pattern"]


@pytest.mark.parametrize(
    ("pattern", "reason", "position"),
    [
        ("", "it is empty", None),
        ("x" * 1001, "it is longer than 1,000 characters", None),
        ("ab\udc00", "lone surrogate, not a character", 2),
    ],
)
def test_a_pattern_of_a_wrong_length_or_no_text_is_an_invalid_pattern(
    pattern: str, reason: str, position: int | None
) -> None:
    """1 to 1,000 characters, none of them half a one."""
    searches = Searches()
    answer = searches.post(pattern=pattern)
    told = answer.get_json()
    assert (answer.status_code, told["code"]) == (400, "invalid_pattern")
    assert told["errors"][0]["message"] == reason
    assert told["errors"][0].get("position") == position
    assert searches.asked == []


def test_a_pair_of_surrogates_is_a_character() -> None:
    """JSON has characters beyond U+FFFF as pairs; 1,000 of them are not too long."""
    sent = body(pattern="\U0001f600" * 1000)
    assert rb"\ud83d\ude00" in sent
    assert parse(sent).query().pattern == "\U0001f600" * 1000


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["username", "pattern", "limit", "files", "updated_since", "cursor"])


def encoded(value: object) -> bytes:
    """The value as JSON, lone surrogates escaped."""
    return json.dumps(value).encode()


@given(st.binary() | st.dictionaries(FIELDS | st.text(), JSON_VALUES).map(encoded))
def test_any_body_is_read_or_refused(sent: bytes) -> None:
    """No body breaks the reader: it is a request, or a foreseen refusal."""
    with suppress(InvalidRequestError):
        assert isinstance(parse(sent), SearchRequest)
