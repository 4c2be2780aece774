"""Reading the entries of GitHub's lists, well-formed or not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gistapi.errors import GithubError
from gistapi.github import entries as read
from gistapi.github.entries import MAX_FILES, MAX_TEXT, MAX_VALUES, Entries, ForeignGistError
from gistapi.models import Gist, GistFile

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
MISSING = ...  # its repr is the same in each worker of a parallel run, as a test's id must be
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


def page(*entries: object) -> tuple[tuple[Gist, ...], int]:
    """A page, read from its bytes."""
    found = read.parse_gists(json.dumps(entries).encode())
    return found.gists, found.unreadable


def changed(entry: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    """An entry with one field removed or replaced."""
    rest = {other: old for other, old in entry.items() if other != name}
    return rest if value is MISSING else rest | {name: value}


def test_an_entry_is_read() -> None:
    """Every field of a real entry is read."""
    assert page(ENTRY) == ((GIST,), 0)


@pytest.mark.parametrize("value", WRONG, ids=repr)
@pytest.mark.parametrize("field", [*ENTRY, "owner", "user", "forks"])
def test_any_field_may_be_missing_or_wrong(field: str, value: object) -> None:
    """An unusable field is ignored, and all others are read."""
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
    """The gist of ENTRY with `field` changed."""
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
    """A file is listed with the fields that are usable, at least its name."""
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
def test_a_file_may_be_null(file: object) -> None:
    """It keeps its name, so that the gap can be reported."""
    ((gist,), _) = page(changed(ENTRY, "files", {"a.py": file}))
    assert gist.files == (GistFile("a.py", None, None, None, None),)


def test_an_empty_gist_is_not_one_without_files() -> None:
    """An empty gist has no files; of a gist listed without `files` only git knows the files."""
    ((empty, unknown), _) = page(changed(ENTRY, "files", {}), changed(ENTRY, "files", None))
    assert (empty.files, empty.truncated) == ((), False)
    assert (unknown.files, unknown.truncated) == ((), True)


def test_only_public_gists_are_read() -> None:
    """Secret gists and invalid entries are neither listed nor counted."""
    secret = changed(ENTRY, "public", value=False)
    assert page(None, 1, "x", [], {}, secret, ENTRY, changed(secret, "public", "true")) == (
        (GIST,),
        0,
    )


@pytest.mark.parametrize(
    ("created", "understood"),
    [
        ("2014-10-01T18:19:34+02:00", CREATED),
        ("2014-10-01T16:19:34.000Z", CREATED),
        ("2014-10-01T16:19:34", CREATED),
        ("0001-01-01T00:00:00+14:00", LATEST),
        ("9999-12-31T23:59:59-14:00", LATEST),
        ("yesterday", LATEST),
    ],
)
def test_times_are_in_utc(created: str, understood: datetime) -> None:
    """A time with another zone is converted, one without is UTC, one out of range is ignored."""
    ((gist,), _) = page(changed(ENTRY, "created_at", created))
    assert gist.created_at == understood
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
def test_the_address_contains_the_blobs_sha(path: str, sha: str | None) -> None:
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
def test_a_body_that_is_no_list_is_an_error(body: bytes, words: str) -> None:
    """GithubError names the fault: HTML, truncation, invalid UTF-8, deep nesting or an object."""
    with pytest.raises(GithubError, match=words):
        read.parse_gists(body)


@given(st.lists(json_values))
def test_any_list_can_be_read(entries: list[object]) -> None:
    """For any JSON in the list, reading raises nothing and lists no more gists than entries."""
    gists, unreadable = page(*entries)
    assert len(gists) + unreadable <= len(entries)


@given(st.dictionaries(st.sampled_from(sorted(ENTRY)), json_values), json_values, json_values)
def test_any_entry_can_be_read(entry: dict[str, Any], file: object, url: object) -> None:
    """For fields of any JSON, a gist's times are aware and its sizes not negative."""
    files = {"a": file, "b": {"raw_url": url, "size": url}}
    ((gist,), _) = page(entry | {"public": True, "html_url": "u", "files": files})
    assert gist.created_at.tzinfo is UTC
    assert [known.name for known in gist.files][1:] == ["b"]
    assert all(known.size_bytes is None or known.size_bytes >= 0 for known in gist.files)


def test_every_entry_has_an_id() -> None:
    """Entries that are not shown keep their position: secret ones, and those without an address."""
    secret = ENTRY | {"id": "secret", "public": False}
    nameless = changed(ENTRY | {"id": "nameless"}, "html_url", None)
    unnumbered = changed(ENTRY, "id", MISSING)
    body = json.dumps([secret, nameless, None, {}, unnumbered]).encode()
    assert read.parse_gists(body) == Entries(("secret", "nameless", GIST.id), (GIST,), 1)
    assert [gist.id for gist in read.parse_gists(body, secret=True).gists] == ["secret", GIST.id]


@pytest.mark.parametrize("public", [True, False])
def test_another_users_gist_is_an_error(public: bool) -> None:  # noqa: FBT001 - a case
    """One entry of another user, shown or not, invalidates the page; case does not matter."""
    good = ENTRY | {"owner": {"login": "OctoCat"}}
    other = ENTRY | {"owner": {"login": "other"}, "public": public}
    found = read.parse_gists(json.dumps([good]).encode(), owner="octocat").gists
    assert found == (replace(GIST, owner="OctoCat"),)
    with pytest.raises(ForeignGistError):
        read.parse_gists(json.dumps([good, other]).encode(), owner="octocat")


@pytest.mark.parametrize("owner", [*WRONG[:-2], {"login": None}, {"login": 5}, {"login": ""}])
def test_an_entry_may_have_no_owner(owner: object) -> None:
    """Real entries sometimes lack it."""
    body = json.dumps([changed(ENTRY, "owner", owner)]).encode()
    assert read.parse_gists(body, owner="octocat").gists == (GIST,)


def test_an_entry_is_bounded() -> None:
    """At most 300 files and 10,000 characters for each text are kept; git has the rest."""
    long = "x" * (MAX_TEXT + 1)
    files = {f"{number}": {"size": 1} for number in range(MAX_FILES + 1)}
    ((many, named), _) = page(
        ENTRY | {"files": files, "description": long},
        ENTRY | {"files": {long: {}, "a": {"filename": long, "raw_url": long}}},
    )
    assert len(many.files) == MAX_FILES
    assert many.truncated
    assert many.description == long[:-1]
    assert named.files == (GistFile("a", None, None, None, None),)
    assert named.truncated


def test_a_single_gist_may_be_secret() -> None:
    """A caller who knows its id may read it."""
    body = json.dumps(ENTRY | {"public": False, "history": []}).encode()
    assert read.parse_single(body, gist_id=GIST.id.upper()) == Entries((GIST.id,), (GIST,))


@pytest.mark.parametrize("body", [b"[]", b"null", b"{}", b"<html>", b'{"message": "Not Found"}'])
def test_a_body_that_is_no_gist_is_an_error(body: bytes) -> None:
    """A list, an error or HTML raises GithubError."""
    with pytest.raises(GithubError, match=r"not a gist|not JSON"):
        read.parse_single(body, gist_id=GIST.id)


def test_members_are_read() -> None:
    """Logins are in GitHub's order; an entry without one is ignored."""
    body = json.dumps([{"login": "a", "id": 1}, {}, None, {"login": 5}, {"login": "b"}]).encode()
    assert read.parse_members(body).ids == ("a", "b")


@pytest.mark.parametrize("value", ["{}", "[]", "1", '""', '{"a":1}', "[[1,[2]]]"])
@pytest.mark.parametrize("wrap", ["[{}]", '[{{"files": {{"a": [{}]}}}}]'])
def test_a_body_of_countless_values_is_an_error(
    value: str, wrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is parsed: 16 MiB of empty objects would take 500 MiB."""
    body = wrap.format(f"{value}," * (MAX_VALUES + 1) + value).encode()
    monkeypatch.setattr(json, "loads", None)
    with pytest.raises(GithubError, match="more values"):
        read.parse_gists(body)


def test_commas_in_strings_are_no_values() -> None:
    """A gist comes with its contents."""
    entry = ENTRY | {"description": 'a,"b\\' * MAX_VALUES}
    ((gist,),) = (read.parse_gists(json.dumps([entry]).encode()).gists,)
    assert gist.id == ENTRY["id"]


@given(st.text(",{}[]:1 ", max_size=40), json_values)
def test_counting_values_changes_no_other_answer(text: str, value: object) -> None:
    """What is counted and allowed is read by `json.loads`."""
    for body in (text, json.dumps(value)):
        try:
            expected = json.loads(body)
        except ValueError:
            with pytest.raises(GithubError, match="not JSON"):
                read.parse_json(body.encode(), body.count(","))
        else:
            assert read.parse_json(body.encode(), body.count(",")) == expected
