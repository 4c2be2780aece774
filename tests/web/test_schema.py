"""Parsing and validating requests."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gistapi.models import Flags, Query
from gistapi.search.languages import MAX_COMPARED
from gistapi.web import parsing
from gistapi.web.error_table import InvalidRequestError
from gistapi.web.parsing import parse_body
from gistapi.web.protection.body_limits import MAX_BODY_BYTES
from gistapi.web.schema import SearchRequest
from tests.web.searches import SEARCH, Searches

LEAST = {"username": "octocat", "pattern": "x"}
LEAST_QUERY = Query("octocat", "x")


def body(**more: object) -> bytes:
    """A minimal request with more fields."""
    return json.dumps(LEAST | more).encode()


def refused(sent: bytes) -> tuple[str, list[str]]:
    """Send a body that is refused; returns the message and the fields of the answer."""
    searches = Searches()
    answer = searches.client().post(SEARCH, data=sent, content_type="application/json")
    body = answer.get_json()
    assert (answer.status_code, body["code"]) == (400, "invalid_request")
    assert searches.asked == []
    return body["message"], [fault["field"] for fault in body.get("errors", [])]


def test_a_minimal_request_has_every_default() -> None:
    """It has `username` and `pattern` only."""
    assert parse_body(body()).query() == LEAST_QUERY


def test_every_field_reaches_the_query() -> None:
    """Times are converted to UTC."""
    form = parse_body(
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
            names=True,
            max_count=5,
            context=2,
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
        details=True,
        names=True,
        max_count=5,
        context=2,
    )


def test_null_is_the_default_of_an_optional_field() -> None:
    """A client may send the options that it does not use."""
    sent = body(limit=None, cursor=None, updated_since=None, updated_until=None)
    assert parse_body(sent).query() == LEAST_QUERY


@pytest.mark.parametrize("name", ["a", "-a-", "a--b", "A_b", "0", "x" * 39])
def test_a_github_login_is_a_username(name: str) -> None:
    """Existing accounts begin or end with `-`, or have `--` or `_`."""
    assert parse_body(body(username=name)).username == name


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
        ("files", ["*.py", None, {}, ["a"] * 101]),
        ("files.0", [[7], [""], ["x" * 256], ["\ud800"]]),
        ("files", [["{a,b}" * 50] * 20, ["*.c", "{a,b}" * 9], ["*", "a[b"]]),
        ("languages", ["Python", None]),
        ("languages.1", [["Python", None]]),
        ("limit", [0, 1001, -1, True, "5", 5.0, 1e999, 10**400]),
        ("cursor", [7, [], "\udfff"]),
        ("updated_since", [0, "", "2024-1-1", "2024-01-01T00:00:00", "2024-01-01 00:00:00Z"]),
        ("updated_until", ["2024-02-30T00:00:00Z", "0001-01-01T00:00:00+02:00", "now", False]),
        ("usernames", ["a", [], ["a"] * 101]),
        ("usernames.1", [["a", "b c"]]),
        ("organization", ["a b"]),
        ("gists", [[], "x"]),
        ("gists.0", [["x"], ["https://example.com/1"], ["g" * 501]]),
        ("mine", [1]),
        ("starred", ["true"]),
        ("names", [1]),
        ("max_count", [0, 1001]),
        ("context", [-1, 11, None]),
        ("color", ["red"]),
        ("Pattern", ["x"]),
    ],
)
def test_a_wrong_value_is_refused_and_its_field_named(field: str, values: list[object]) -> None:
    """Each field accepts its own type and range only; unknown fields are refused."""
    for value in values:
        name, _, _ = field.partition(".")
        sent = json.dumps(LEAST | {name: value}).replace("Infinity", "1e999").encode()
        assert refused(sent)[1] == [field], value


def test_all_faults_are_reported_at_once() -> None:
    """Callers need not find them one at a time."""
    message, fields = refused(b'{"limit": 0, "details": 1, "no": 2}')
    assert fields == ["username", "pattern", "details", "limit", "no"]
    assert message.startswith("The request is not valid. username: Say where to search")


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"usrname": "a"}, "usrname: There is no such field. Did you mean username?"),
        ({"file": []}, "Did you mean files?"),
        ({"username": "a b"}, "A GitHub login has 1 to 39 letters, digits, - or _."),
        ({"limit": 0}, "limit: Send a number from 1 to 1,000."),
        ({"limit": True}, "limit: Send an integer."),
        ({"details": 1}, "details: Send true or false."),
        ({"files": "*.py"}, "files: Send a list."),
        ({"files": ["*.py", "{a"]}, "files: The glob {a has a { without a }."),
        ({"languages": ["Pyton"]}, "GitHub knows no language Pyton. Did you mean Python?"),
        ({"updated_since": "2024-02-30"}, "There is no such time as 2024-02-30."),
        ({"updated_until": "soon"}, "A time is a date such as 2024-01-31"),
        ({"gists": ["?"]}, "A gist is named by its ID or its address"),
    ],
)
def test_errors_are_in_plain_words(sent: dict[str, object], said: str) -> None:
    """They have no text of the validation library, and suggest the nearest known name."""
    fields = {"pattern": "x"} | sent if "usrname" in sent else LEAST | sent
    assert said in " ".join(
        fault["message"] if not said.startswith(f"{fault['field']}:") else said
        for fault in _faults(fields)
    )


def _faults(fields: dict[str, object]) -> list[dict[str, str]]:
    with pytest.raises(InvalidRequestError) as raised:
        parse_body(json.dumps(fields).encode())
    return [
        {"field": fault["field"], "message": f"{fault['field']}: {fault['message']}"}
        for fault in raised.value.errors
    ]


def test_an_unknown_language_is_accepted() -> None:
    """GitHub may add it; only a name similar to a known one is refused."""
    assert parse_body(body(languages=["Qqzzx", "c++"])).languages == ["Qqzzx", "c++"]


def test_many_unknown_languages_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller may send any number, and they are checked before the search is admitted."""
    compared: list[str] = []

    def compare(name: str, *_: object, **_words: object) -> list[str]:
        compared.append(name)
        return []

    monkeypatch.setattr("gistapi.search.languages.get_close_matches", compare)
    sent = ["python", *(f"acinoprst{number}" for number in range(99))]
    assert parse_body(body(languages=sent)).languages == sent
    assert len(compared) == MAX_COMPARED


def test_an_error_has_a_bounded_size() -> None:
    """The number of faults reported and the length of their names are limited."""
    fields = {f"{number:04}" + "x" * 200: 1 for number in range(250)}
    answer = Searches().client().post(SEARCH, json=LEAST | fields)
    assert answer.status_code == 400
    assert len(answer.get_json()["errors"]) == 10
    assert len(answer.data) < 4096


def test_a_date_means_the_whole_day() -> None:
    """`updated_since` is its beginning and `updated_until` its end, in UTC."""
    form = parse_body(body(updated_since="2024-01-31", updated_until="2024-01-31"))
    assert form.updated_since == datetime(2024, 1, 31, tzinfo=UTC)
    assert form.updated_until == datetime(2024, 1, 31, 23, 59, 59, 999999, tzinfo=UTC)


def test_targets_are_unique_and_ordered() -> None:
    """Users, organization, gists, then the caller's own; the case of a login does not matter."""
    form = parse_body(
        json.dumps(
            {
                "pattern": "x",
                "starred": True,
                "gists": ["6cad326836d38bd3a7ae", "https://gist.github.com/a/6cad326836d38bd3a7ae"],
                "organization": "github",
                "usernames": ["b", "OCTOCAT", "a"],
                "username": "octocat",
            }
        ).encode()
    )
    assert [(target.kind, target.name.lower()) for target in form.query().targets] == [
        ("username", "octocat"),
        ("username", "b"),
        ("username", "a"),
        ("organization", "github"),
        ("gist", "6cad326836d38bd3a7ae"),
        ("starred", ""),
    ]


def test_a_time_span_may_not_be_negative() -> None:
    """`updated_since` may equal `updated_until`, but not be later."""
    day = "2024-01-02T00:00:00Z"
    assert parse_body(body(updated_since=day, updated_until=day)).updated_since
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
        (b'{"limit": NaN}', "NaN is not a JSON value"),
        (b'{"limit": -Infinity}', "-Infinity is not a JSON value"),
        (b'{"pattern": "\xff"}', "not UTF-8"),
        (json.dumps(LEAST).encode("utf-16"), "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"limit": ' + b"1" * 5000 + b"}", "too many digits"),
        (b"[" * 32000 + b"]" * 32000, "too deeply"),
        (b'{"a":' * 10000 + b"1" + b"}" * 10000, "too deeply"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(sent: bytes, words: str) -> None:
    """The standard library's extensions of JSON are off, and deep nesting is no crash."""
    message, fields = refused(sent)
    assert words in message
    assert fields == []


@pytest.mark.parametrize(
    "sent", [b'{"pattern": 1, "pattern": 1}', b'{"a": {"pattern": 1, "b": 2, "pattern": 3}}']
)
def test_a_duplicate_key_is_refused_and_named(sent: bytes) -> None:
    """Two parsers could otherwise read different requests."""
    message, fields = refused(sent)
    assert "more than once" in message
    assert fields == ["pattern"]


class Name(str):
    """A name that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_names_of_a_body_are_compared_a_few_times_each() -> None:
    """A body has room for 10,000, which are read before the search is admitted."""
    names = [Name(number) for number in range(1000)]
    assert len(parsing._unique([(name, None) for name in names])) == 1000
    assert Name.compared < 10 * 1000


@pytest.mark.parametrize(
    "sent",
    [
        b"{%s}" % b",".join(b'"%x":0' % number for number in range(6500)),
        b'{"a":[%s]}' % b",".join([b"{}"] * 20_000),
        b'{"usernames":[%s]}' % b",".join([b'"-\xc3\xa4"'] * 10_000),
        b'{"files":[%s]}' % b",".join([b'"{a,b}"'] * 8000),
        b'{"gists":[%s]}' % b",".join([b"0"] * 30_000),
        b'{"username":"%s"}' % (b"a" * 65_000),
        b'{"pattern":%s}' % (b"9" * 65_000),
    ],
    ids=["fields", "objects", "users", "globs", "numbers", "long", "digits"],
)
def test_refusing_a_body_takes_few_steps_a_byte(sent: bytes) -> None:
    """Whatever fills it, since it is read before the search is admitted."""
    assert len(sent) <= MAX_BODY_BYTES
    steps = 0

    def count(*_event: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        with pytest.raises(InvalidRequestError):
            parse_body(sent)
    finally:
        sys.setprofile(None)
    assert steps < 3 * MAX_BODY_BYTES


@pytest.mark.parametrize(
    ("pattern", "reason", "position"),
    [
        ("", "it is empty", None),
        ("x" * 1001, "it is longer than 1,000 characters", None),
        ("ab\udc00", "lone surrogate, not a character", 2),
    ],
)
def test_an_empty_long_or_malformed_pattern_is_refused(
    pattern: str, reason: str, position: int | None
) -> None:
    """A pattern has 1 to 1,000 characters, and no lone surrogates."""
    searches = Searches()
    answer = searches.post(pattern=pattern)
    body = answer.get_json()
    assert (answer.status_code, body["code"]) == (400, "invalid_pattern")
    assert body["errors"][0]["message"] == reason
    assert body["errors"][0].get("position") == position
    assert searches.asked == []


def test_a_surrogate_pair_is_one_character() -> None:
    """JSON escapes characters beyond U+FFFF as pairs; 1,000 of them are accepted."""
    sent = body(pattern="\U0001f600" * 1000)
    assert rb"\ud83d\ude00" in sent
    assert parse_body(sent).query().pattern == "\U0001f600" * 1000


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
def test_any_body_is_accepted_or_refused(sent: bytes) -> None:
    """Every body is a request or an expected error."""
    with suppress(InvalidRequestError):
        assert isinstance(parse_body(sent), SearchRequest)
