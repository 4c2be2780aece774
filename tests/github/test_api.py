"""What GitHub's answers say: headers and bodies, well-formed or not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from gistapi.errors import GithubError
from gistapi.github import api
from gistapi.github.api import Budget, Limit
from gistapi.models import Gist, GistFile

NOW = 1_700_000_000.0
SHA = "0123456789abcdef0123456789abcdef01234567"
RAW_URL = f"https://gist.githubusercontent.com/octocat/6cad326836d38bd3a7ae/raw/{SHA}/hello.py"
ENTRY: dict[str, Any] = {
    "id": "6cad326836d38bd3a7ae",
    "html_url": "https://gist.github.com/6cad326836d38bd3a7ae",
    "git_pull_url": "https://gist.github.com/6cad326836d38bd3a7ae.git",
    "description": "Hello world!",
    "public": True,
    "created_at": "2014-10-01T16:19:34Z",
    "updated_at": "2024-07-05T08:22:33Z",
    "truncated": False,
    "files": {
        "hello.py": {
            "filename": "hello.py",
            "type": "application/x-python",
            "language": "Python",
            "raw_url": RAW_URL,
            "size": 199,
        }
    },
}
FILE = GistFile("hello.py", RAW_URL, 199, "Python", SHA)
CREATED = datetime(2014, 10, 1, 16, 19, 34, tzinfo=UTC)
UPDATED = datetime(2024, 7, 5, 8, 22, 33, tzinfo=UTC)
GIST = Gist(
    ENTRY["id"],
    ENTRY["html_url"],
    "Hello world!",
    CREATED,
    UPDATED,
    (FILE,),
    truncated=False,
    git_pull_url=ENTRY["git_pull_url"],
)
LATEST = datetime.max.replace(tzinfo=UTC)
MISSING = ...  # has the same repr in each worker of a parallel run, as its tests' names must
WRONG: tuple[object, ...] = (
    MISSING,
    None,
    0,
    -1,
    1.5,
    True,
    False,
    "",
    "x",
    [],
    ["x"],
    {},
    "\ud800",
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def fields(**given: object) -> CaseInsensitiveDict[str]:
    """Header fields; `retry_after=3` is `Retry-After: 3`."""
    return CaseInsensitiveDict(
        {name.replace("_", "-"): str(value) for name, value in given.items() if value is not None}
    )


def limited(remaining: object, reset: object, **more: object) -> CaseInsensitiveDict[str]:
    """The fields of the primary limit."""
    return fields(
        x_ratelimit_limit=60, x_ratelimit_remaining=remaining, x_ratelimit_reset=reset, **more
    )


def page(*entries: object) -> tuple[tuple[Gist, ...], int]:
    """A page as it is read from its bytes."""
    return api.parse_page(json.dumps(entries).encode())


def changed(entry: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    """An entry with one field missing, or with another value."""
    rest = {other: old for other, old in entry.items() if other != name}
    return rest if value is MISSING else rest | {name: value}


def test_an_entry_is_read() -> None:
    """Every field of a real entry lands where it belongs."""
    assert page(ENTRY) == ((GIST,), 0)


@pytest.mark.parametrize("value", WRONG, ids=repr)
@pytest.mark.parametrize("field", [*ENTRY, "owner", "user", "forks"])
def test_any_field_may_be_missing_or_wrong(field: str, value: object) -> None:
    """A field that is no use is left out of account, and all others are still read."""
    gists, unreadable = page(changed(ENTRY, field, value))
    text = isinstance(value, str) and value != ""
    if field == "public" and value is not True:
        assert (gists, unreadable) == ((), 0)
    elif field == "html_url" and not text:
        assert (gists, unreadable) == ((), 1)
    else:
        assert unreadable == 0
        assert gists == (expected(field, value, text=text),)


def expected(field: str, value: object, *, text: bool) -> Gist:
    """The gist of ENTRY when `field` is not what it was."""
    known: dict[str, Any] = {name: getattr(GIST, name) for name in Gist.__slots__}
    match field:
        case "id" | "html_url" | "git_pull_url":
            default = None if field == "git_pull_url" else GIST.id
            known[field] = value if text else default
        case "description":
            known[field] = value if isinstance(value, str) else None
        case "created_at":
            known[field] = LATEST
        case "updated_at":
            known[field] = CREATED
        case "truncated":
            known[field] = value is True
        case "files":
            known |= {"files": (), "truncated": value != {}}
            known["truncated"] = not isinstance(value, dict)
    return Gist(**known)


@pytest.mark.parametrize("value", WRONG, ids=repr)
@pytest.mark.parametrize("field", ["filename", "type", "language", "raw_url", "size"])
def test_any_field_of_a_file_may_be_missing_or_wrong(field: str, value: object) -> None:
    """A file is listed with what is known of it: at least the name that it is listed by."""
    file = changed(ENTRY["files"]["hello.py"], field, value)
    ((gist,), _) = page(changed(ENTRY, "files", {"hello.py": file}))
    text = value if isinstance(value, str) and value else None
    known: dict[str, Any] = {name: getattr(FILE, name) for name in GistFile.__slots__}
    match field:
        case "filename":
            known["name"] = text or "hello.py"
        case "language":
            known["language"] = text
        case "raw_url":
            known |= {"raw_url": text, "blob_sha": None}
        case "size":
            known["size_bytes"] = 0 if value == 0 and type(value) is int else None
    assert gist.files == (GistFile(**known),)


@pytest.mark.parametrize("file", [None, [], "x", 5, {}])
def test_a_file_may_be_nothing(file: object) -> None:
    """A file that is null in the listing keeps its name, so that the gap can name it."""
    ((gist,), _) = page(changed(ENTRY, "files", {"a.py": file}))
    assert gist.files == (GistFile("a.py", None, None, None, None),)


def test_no_files_is_no_missing_files() -> None:
    """An empty gist is empty; one listed without its files is one that only git knows."""
    ((empty, unknown), _) = page(changed(ENTRY, "files", {}), changed(ENTRY, "files", None))
    assert (empty.files, empty.truncated) == ((), False)
    assert (unknown.files, unknown.truncated) == ((), True)


def test_only_public_entries_are_read() -> None:
    """Neither secret gists nor what is no gist at all is listed, or counted."""
    secret = changed(ENTRY, "public", value=False)
    assert page(None, 1, "x", [], {}, secret, ENTRY, changed(secret, "public", "true")) == (
        (GIST,),
        0,
    )


@pytest.mark.parametrize(
    ("created", "read"),
    [
        ("2014-10-01T18:19:34+02:00", CREATED),
        ("2014-10-01T16:19:34.000Z", CREATED),
        ("2014-10-01T16:19:34", CREATED),
        ("0001-01-01T00:00:00+14:00", LATEST),
        ("9999-12-31T23:59:59-14:00", LATEST),
        ("yesterday", LATEST),
    ],
)
def test_times_are_in_utc(created: str, read: datetime) -> None:
    """A time with another zone is converted, one without is UTC, one out of range is none."""
    ((gist,), _) = page(changed(ENTRY, "created_at", created))
    assert gist.created_at == read
    assert gist.created_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("path", "sha"),
    [
        (f"/o/1/raw/{SHA}/a.py", SHA),
        (f"/o/1/raw/{SHA.upper()}/a.py", SHA),
        (f"/o/1/raw/{SHA}", SHA),
        (f"/o/1/raw/{SHA}0/a.py", None),
        ("/o/1/raw/a.py", None),
        (f"/o/1/{SHA}/a.py", None),
    ],
)
def test_the_blob_is_named_by_the_address(path: str, sha: str | None) -> None:
    """The 40 hex digits after `raw` are the blob's SHA-1, in lower case."""
    file = {"raw_url": f"https://gist.githubusercontent.com{path}"}
    ((gist,), _) = page(changed(ENTRY, "files", {"a.py": file}))
    assert gist.files[0].blob_sha == sha


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<!DOCTYPE html>", "not JSON"),
        (b"", "not JSON"),
        (b'[{"id": "1"', "not JSON"),
        (b'["\xff\xfe\xfa"]', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[" + b"1" * 5000 + b"]", "not JSON"),
        (b'{"message": "Server Error"}', "not a list"),
        (b"null", "not a list"),
        (b'"text"', "not a list"),
    ],
)
def test_what_is_no_list_is_an_error(body: bytes, words: str) -> None:
    """HTML, half of a body, wrong bytes, endless nesting or an object: GithubError says which."""
    with pytest.raises(GithubError, match=words):
        api.parse_page(body)


@given(st.lists(json_values))
def test_any_list_can_be_read(entries: list[object]) -> None:
    """Whatever JSON stands in the list, reading it raises nothing and lists no more than that."""
    gists, unreadable = page(*entries)
    assert len(gists) + unreadable <= len(entries)


@given(st.dictionaries(st.sampled_from(sorted(ENTRY)), json_values), json_values, json_values)
def test_any_entry_can_be_read(entry: dict[str, Any], file: object, url: object) -> None:
    """Fields of any JSON at all give a gist whose times are aware and whose sizes make sense."""
    files = {"a": file, "b": {"raw_url": url, "size": url}}
    ((gist,), _) = page(entry | {"public": True, "html_url": "u", "files": files})
    assert gist.created_at.tzinfo is UTC
    assert [known.name for known in gist.files][1:] == ["b"]
    assert all(known.size_bytes is None or known.size_bytes >= 0 for known in gist.files)


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ('<https://api.github.com/user/2/gists?page=2>; rel="next"', "?page=2"),
        ('<https://x/1>; rel="prev", <https://api.github.com/a?page=3>; rel="next"', "?page=3"),
        ('<https://x/9>; rel="last", <https://x/1>; rel="first"', None),
        ('<https://x/4>; rel="last next"', "/4"),
        ("<https://x/5>; rel=next", "/5"),
        ('</user/2/gists?page=6>; rel="next"', "?page=6"),
        ("", None),
        ("garbage", None),
        ("<>;;=,;", None),
        ("<https://x>", None),
    ],
)
def test_the_next_page_is_the_one_that_link_names(link: str, url: str | None) -> None:
    """The address stands in `Link` under `next`; anything else is the end."""
    found = api.next_url(fields(link=link))
    assert (found is None) if url is None else (found or "").endswith(url)


@given(st.text())
def test_any_link_can_be_read(link: str) -> None:
    """A `Link` without sense is no link."""
    assert api.next_url(fields(link=link)) is None or "next" in link.lower()


def test_the_budget_is_told_in_githubs_time() -> None:
    """`reset` counts from GitHub's own `Date`; without one, from our clock."""
    date = format_datetime(datetime.fromtimestamp(NOW - 5000, UTC), usegmt=True)
    assert api.budget(limited(7, int(NOW) - 4990, date=date), NOW) == Budget(60, 7, 10)
    assert api.budget(limited(7, int(NOW) + 10), NOW) == Budget(60, 7, 10)
    assert api.budget(limited(7, int(NOW) - 10), NOW) == Budget(60, 7, 0)


def test_a_limit_that_is_not_told_is_at_least_what_remains() -> None:
    """What remains, and until when, is enough to obey."""
    headers = limited(0, int(NOW) + 10)
    del headers["X-RateLimit-Limit"]
    assert api.budget(headers, NOW) == Budget(0, 0, 10)
    assert api.limit(403, headers, b"", NOW) == Limit("primary", 10)


@pytest.mark.parametrize("wrong", [None, "", "x", "1.5", "9" * 5000, "9" * 400])
def test_a_budget_that_makes_no_sense_is_none(wrong: str | None) -> None:
    """Without a number nothing is known."""
    assert api.budget(limited(7, wrong), NOW) is None


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 60 ", 60),
        ("9" * 30, 3600),
        (format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True), 90),
        (format_datetime(datetime.fromtimestamp(NOW - 90, UTC), usegmt=True), 0),
        ("Tue, 14 Nov 2023 22:14:20 -0000", 60),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", 60),
        ("-5", None),
        ("1.5", None),
        ("٣", None),  # a digit, but none of HTTP's
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_a_number_or_a_date(after: str | None, seconds: float | None) -> None:
    """Seconds, or a moment in any zone and format of HTTP; anything else says nothing."""
    assert api.retry_after(fields(retry_after=after), NOW) == seconds


def test_a_date_to_retry_after_is_in_githubs_time() -> None:
    """A clock of ours that is an hour off does not change the wait."""
    date = datetime.fromtimestamp(NOW, UTC)
    headers = fields(
        date=format_datetime(date, usegmt=True),
        retry_after=format_datetime(date + timedelta(seconds=30), usegmt=True),
    )
    assert api.retry_after(headers, NOW + 3600) == 30


@given(st.text())
def test_any_date_can_be_read(value: str) -> None:
    """Whatever stands in `Retry-After` is a wait or nothing."""
    seconds = api.retry_after(fields(retry_after=value), NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("headers", "body", "limit"),
    [
        (limited(0, int(NOW) + 60), b"", Limit("primary", 60)),
        (limited(0, int(NOW) + 60, retry_after=5), b"", Limit("primary", 5)),
        (fields(retry_after=60), b"", Limit("secondary", 60)),
        (limited(50, int(NOW) + 60, retry_after=7), b"", Limit("secondary", 7)),
        (fields(), b"You have exceeded a secondary rate limit.", Limit("secondary", None)),
        (fields(), b"You have triggered an abuse detection mechanism", Limit("secondary", None)),
        (fields(), b"API rate limit exceeded for 127.0.0.1.", Limit("secondary", None)),
        (fields(), b"Too Many Requests \xff", Limit("secondary", None)),
    ],
)
def test_a_limit_is_known_by_its_signs(
    status: int, headers: CaseInsensitiveDict[str], body: bytes, limit: Limit
) -> None:
    """`Retry-After` comes first, then the reset when nothing is left, then GitHub's words."""
    assert api.limit(status, headers, body, NOW) == limit


def test_a_429_is_a_limit_and_a_403_need_not_be() -> None:
    """Without any sign a 429 asks for a wait of unknown length, and a 403 is a refusal."""
    assert api.limit(429, fields(), b"", NOW) == Limit("secondary", None)
    assert api.limit(403, limited(50, NOW), b"Sorry, this file is too big.", NOW) is None


@pytest.mark.parametrize("status", [200, 304, 401, 404, 422, 451, 500, 503])
def test_other_answers_are_no_limit(status: int) -> None:
    """Only 403 and 429 refuse for a limit's sake, whatever their headers say."""
    assert api.limit(status, limited(0, int(NOW) + 60, retry_after=5), b"rate limit", NOW) is None


@pytest.mark.parametrize(
    ("status", "content_type", "body", "message"),
    [
        (401, "application/json", b'{"message": "Bad credentials"}', ": Bad credentials"),
        (451, "application/json", b'{"message": "m", "block": {"reason": "dmca"}}', ": m (dmca)"),
        (451, "application/json", b'{"block": {"reason": "dmca"}}', ": (dmca)"),
        (451, "application/json", b'{"message": "m", "block": {"reason": null}}', ": m"),
        (451, "application/json", b'{"message": "m", "block": 5}', ": m"),
        (422, "application/json; charset=utf-8", b'{"message": " a\\n\\tb\\u0007 "}', ": a b"),
        (403, "text/plain; charset=utf-8", b"Sorry, too big\n\xff", ": Sorry, too big �"),
        (403, "text/plain", b"", "."),
        (500, "text/html", b"<h1>Unicorn!</h1>", "."),
        (500, "application/json", b"<h1>Unicorn!</h1>", "."),
        (500, "application/json", b"[" * 100_000, "."),
        (500, "application/json", b'["message"]', "."),
        (500, "application/json", b'{"message": {"a": 1}}', "."),
        (500, "application/json", b'{"message": "  "}', "."),
        (422, "application/json", json.dumps({"message": "x" * 400}).encode(), ": " + "x" * 300),
    ],
)
def test_an_error_has_githubs_words(
    status: int, content_type: str, body: bytes, message: str
) -> None:
    """The message of JSON or plain text, on one short line; never HTML."""
    said = api.error_message(status, fields(content_type=content_type), body)
    assert said == f"GitHub answered {status}{message}"


@given(st.binary(), st.sampled_from(["application/json", "text/plain", "", "text/html"]))
def test_any_error_can_be_told(body: bytes, content_type: str) -> None:
    """Whatever the body is, the message is one printable line."""
    said = api.error_message(500, fields(content_type=content_type), body)
    assert said.startswith("GitHub answered 500")
    assert said.isprintable()
