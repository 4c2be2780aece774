"""API keys: which requests need one, how it is sent, and who is admitted."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from structlog.contextvars import get_contextvars
from werkzeug.test import TestResponse

from gistapi.models import Begin
from gistapi.quota.keys import KeyFile
from gistapi.web import Authentication, Guard, Operation, create_web, metrics_gate
from gistapi.web.protection import guard as guard_module
from gistapi.web.protection.authentication import MetricsAccess
from tests.web.searches import NDJSON, PROBLEM, SEARCH, Searches, end, match


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    """Return a key file that does not exist yet."""
    return KeyFile(tmp_path / "keys.json")


def client(
    file: KeyFile, *, optional: bool = False, metrics: MetricsAccess = "open"
) -> FlaskClient:
    """A client of a service with these keys."""
    keys = Authentication(file, optional=optional)
    operation = Operation(metrics_gate(metrics, keys))
    return create_web(Searches(), operation, Guard(keys=keys)).test_client()


def ask(asking: FlaskClient, **headers: str) -> TestResponse:
    """Send a search with these headers."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return asking.post(SEARCH, json={"username": "octocat", "pattern": "x"}, headers=sent)


def test_without_keys_everybody_may_search(file: KeyFile) -> None:
    """A header that would be a key is ignored then."""
    asking = client(file)
    assert ask(asking).status_code == 200
    assert ask(asking, Authorization="Bearer gak_x").status_code == 200


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER   {} "])
def test_a_key_is_a_bearer_token_or_x_api_key(file: KeyFile, form: str) -> None:
    """The case of the scheme does not matter (RFC 9110, 11.1)."""
    key = file.create("ci")
    asking = client(file)
    assert ask(asking, Authorization=form.format(key)).status_code == 200
    assert ask(asking, X_API_Key=key).status_code == 200
    assert ask(asking, Authorization="Basic eDp5", X_API_Key=key).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer gak_wrong"},
        {"Authorization": "Bearer \xe4"},
        {"Authorization": "Basic {key}"},
        {"Authorization": "{key}"},
        {"Authorization": "Bearer {key}x"},
        {"Authorization": "Bearer gak_wrong", "X_API_Key": "{key}"},
        {"X_API_Key": "gak_wrong"},
        {"Cookie": "key={key}"},
    ],
)
def test_once_a_key_exists_a_missing_or_wrong_one_is_refused(
    file: KeyFile, headers: dict[str, str]
) -> None:
    """The answer is a 401 that says how to send one; nothing is searched."""
    key = file.create("ci")
    answer = ask(client(file), **{name: value.format(key=key) for name, value in headers.items()})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="gistapi"'
    assert answer.get_json()["code"] == "unauthorized"
    assert key not in answer.text


def test_a_key_is_checked_before_the_body(file: KeyFile) -> None:
    """The order is 413, 401, 415 and 400, in both forms of an error."""
    file.create("ci")
    asking = client(file)
    assert asking.post(SEARCH, data=b"x" * 70_000).status_code == 413
    refused = asking.post(SEARCH, data=b"x", headers=PROBLEM)
    assert (refused.status_code, refused.mimetype) == (401, "application/problem+json")
    assert refused.headers["WWW-Authenticate"]


def test_only_the_api_needs_a_key(file: KeyFile) -> None:
    """Pages, health and metrics stay open, as do unknown paths."""
    file.create("ci")
    asking = client(file)
    open_to_all = ("/", "/docs", "/openapi.json", "/ping", "/livez", "/readyz", "/metrics")
    assert {asking.get(path, buffered=True).status_code for path in open_to_all} == {200}
    assert asking.get("/api/v1/nope").status_code == 404


def test_a_revoked_key_is_refused(file: KeyFile) -> None:
    """This holds from the next request on, and also for the last key."""
    key = file.create("ci")
    asking = client(file)
    assert ask(asking, X_API_Key=key).status_code == 200
    file.revoke("ci")
    assert ask(asking, X_API_Key=key).status_code == 401
    assert ask(asking).status_code == 401


def test_optional_keys_are_not_read_for_callers_without_one(tmp_path: Path) -> None:
    """So an unreadable key file refuses only callers with a key."""
    path = tmp_path / "keys.json"
    path.write_text("{", "utf-8")
    asking = client(KeyFile(path), optional=True)
    assert ask(asking).status_code == 200
    assert ask(asking, X_API_Key="gak_x").status_code == 500


def test_with_optional_keys_a_wrong_one_is_refused(file: KeyFile) -> None:
    """A caller without a key is admitted; a wrong key never counts as none."""
    key = file.create("ci")
    asking = client(file, optional=True)
    assert ask(asking).status_code == 200
    assert ask(asking, X_API_Key=key).status_code == 200
    assert ask(asking, X_API_Key="gak_wrong").status_code == 401


def test_an_unreadable_key_file_admits_nobody(
    file: KeyFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer is a 500 without the path; the log has the cause for the operator."""
    key = file.create("ci")
    asking = client(file)
    (tmp_path / "keys.json").write_text("{")
    for headers in ({}, {"X_API_Key": key}):
        answer = ask(asking, **headers)
        assert (answer.status_code, answer.get_json()["code"]) == (500, "internal_error")
        assert str(tmp_path) not in answer.text
        assert f"the key file {tmp_path}/keys.json is damaged" in caplog.text
        caplog.clear()
    assert asking.get("/ping").status_code == 200


@pytest.mark.parametrize(
    ("access", "without", "wrong", "right"),
    [("open", 200, 200, 200), ("key", 401, 401, 200), ("off", 404, 404, 404)],
)
def test_metrics_have_a_setting_of_their_own(
    file: KeyFile, access: MetricsAccess, without: int, wrong: int, right: int
) -> None:
    """They are open, for callers with a key, or closed."""
    sent = {"Authorization": f"Bearer {file.create('prometheus')}"}
    asking = client(file, metrics=access, optional=True)
    wrongly = {"Authorization": "Bearer gak_wrong"}
    answers = [asking.get("/metrics", headers=headers) for headers in ({}, wrongly, sent)]
    assert [answer.status_code for answer in answers] == [without, wrong, right]


def test_metrics_for_keys_are_closed_while_there_are_none(file: KeyFile) -> None:
    """Without keys, nobody may read them."""
    assert client(file, metrics="key").get("/metrics").status_code == 401


def test_the_log_names_the_key_of_a_request(
    file: KeyFile, caplog: pytest.LogCaptureFixture
) -> None:
    """Each line has the key's name, and none the key."""
    bound: list[tuple[str, str | None]] = []

    def note(record: logging.LogRecord) -> bool:
        bound.append((record.msg, get_contextvars().get("key")))
        return True

    caplog.set_level(logging.INFO)
    caplog.handler.addFilter(note)
    key = file.create("ci")
    asking = client(file)
    ask(asking, X_API_Key=key).close()
    ask(asking).close()
    assert [key for message, key in bound if message == "request"] == ["ci", None]
    assert key not in caplog.text


def test_an_open_stream_ends_when_its_key_is_revoked(
    file: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with an `error` line, and the search is closed."""
    monkeypatch.setattr(guard_module, "RECHECK_SECONDS", 0.0)
    key = file.create("ci")
    other = file.create("other")
    searches = Searches([Begin(), match(1), match(2), end(2)])
    app = create_web(searches, guard=Guard(keys=Authentication(file)))
    body = {"username": "octocat", "pattern": "x"}
    for secret, kinds in ((key, ["begin", "error"]), (other, ["begin", "match", "match", "end"])):
        headers = NDJSON | {"Authorization": f"Bearer {secret}"}
        answer = app.test_client().post(SEARCH, json=body, headers=headers)
        lines = answer.iter_encoded()
        first = json.loads(next(iter(lines)))
        if secret == key:
            file.revoke("ci")
        rest = [json.loads(line) for line in lines]
        assert [line["type"] for line in (first, *rest)] == kinds
        answer.close()
    assert searches.closed == 2
