"""The captcha: callers without a key solve each challenge once, in time."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import altcha
import pytest
import requests
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import expect

from gistapi.quota.nonces import NonceStore
from gistapi.web import Captcha, Guard, create_web
from gistapi.web.protection import captcha as module
from gistapi.web.protection.captcha import HEADER
from tests.browser import chromium, visit
from tests.fake_github import FakeGithub
from tests.serving import ROOT, Serving, environment, run, serving
from tests.web.searches import SEARCH, Searches

KEY = "k" * 32
CHALLENGE = "/api/v1/captcha"
QUERY = {"username": "octocat", "pattern": "needle"}
STATIC = ROOT / "gistapi/web/ui/static/altcha"


@pytest.fixture(autouse=True)
def _easy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make challenges cheap in this process; those of a service process keep their cost."""
    monkeypatch.setattr(module, "ITERATIONS", 10)


def web(key: str = KEY) -> FlaskClient:
    """A client of an application that requires a captcha."""
    guard = Guard(captcha=Captcha(key, NonceStore()))
    return create_web(Searches(), guard=guard).test_client()


def solved(challenge: dict[str, Any]) -> altcha.Payload:
    """Solve a challenge."""
    parsed = altcha.Challenge.from_dict(challenge)
    solution = altcha.solve_challenge(parsed)
    assert solution is not None
    return altcha.Payload(parsed, solution)


def refusal(client: FlaskClient, sent: str) -> str:
    """The message of the 403 for this header."""
    answer = client.post(SEARCH, json=QUERY, headers={HEADER: sent})
    body = answer.get_json()
    assert (answer.status_code, body["code"]) == (403, "captcha_required")
    return str(body["message"])


def test_a_solution_is_valid_for_one_search() -> None:
    """Without it the answer is 403, with it 200, and 403 when it is sent again."""
    client = web()
    assert CHALLENGE in refusal(client, "")
    sent = solved(client.get(CHALLENGE).get_json()).to_base64()
    assert client.post(SEARCH, json=QUERY, headers={HEADER: sent}).status_code == 200
    assert "used before" in refusal(client, sent)


def test_the_captcha_is_checked_before_the_body() -> None:
    """The order is 413, 403, then 415 and 400."""
    client = web()
    assert client.post(SEARCH, data="x").status_code == 403
    assert client.post(SEARCH, data="x" * 70_000).status_code == 413


def test_challenges_are_unique_signed_and_not_cached() -> None:
    """Each has its own nonce, an expiry and a signature."""
    client = web()
    first, second = client.get(CHALLENGE), client.get(CHALLENGE)
    assert first.headers["Cache-Control"] == "no-store"
    nonces = {answer.get_json()["parameters"]["nonce"] for answer in (first, second)}
    assert len(nonces) == 2
    assert first.get_json()["parameters"]["expiresAt"]
    assert first.get_json()["signature"]


def test_without_a_key_there_is_no_captcha() -> None:
    """It is off by default: nothing is required, and there is no challenge."""
    client = Searches().client()
    assert client.get(CHALLENGE).status_code == 404
    assert client.post(SEARCH, json=QUERY).status_code == 200


@pytest.mark.parametrize(
    ("part", "name", "change"),
    [
        ("parameters", "cost", lambda _: 1),
        ("parameters", "expires_at", lambda at: at + 3600),
        ("challenge", "signature", lambda _: None),
        ("solution", "counter", lambda number: number + 1),
        ("solution", "derived_key", lambda _: "00" * 32),
    ],
)
def test_a_forged_solution_is_refused(part: str, name: str, change: Callable[[Any], Any]) -> None:
    """Any change of challenge or solution is noticed."""
    client = web()
    payload = solved(client.get(CHALLENGE).get_json())
    good = payload.to_base64()
    challenge = payload.challenge
    parts = {"parameters": challenge.parameters, "challenge": challenge}
    forged = parts.get(part, payload.solution)
    setattr(forged, name, change(getattr(forged, name)))
    assert "not" in refusal(client, payload.to_base64())
    assert client.post(SEARCH, json=QUERY, headers={HEADER: good}).status_code == 200


def test_a_challenge_of_another_key_is_refused() -> None:
    """A challenge signed with the caller's own key is worthless."""
    assert "not solved" in refusal(
        web(), solved(web("j" * 32).get(CHALLENGE).get_json()).to_base64()
    )


def test_an_expired_challenge_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The expiry is part of what is signed."""
    monkeypatch.setattr(module, "EXPIRY_SECONDS", -1)
    client = web()
    assert "expired" in refusal(client, solved(client.get(CHALLENGE).get_json()).to_base64())


FIELDS = st.sampled_from(
    (
        *("challenge", "solution", "parameters", "signature", "nonce", "salt", "cost"),
        *("algorithm", "keyLength", "keyPrefix", "expiresAt", "counter", "derivedKey", "data"),
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(FIELDS | st.text(), inner),
)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


def test_any_other_json_is_no_solution() -> None:
    """The answer is a 403, never a 500."""
    client = web()

    @given(JSON)
    def check(value: object) -> None:
        refusal(client, _base64(json.dumps(value))[:8000])

    check()


@pytest.mark.parametrize(
    ("part", "name", "values"),
    [
        ("parameters", "expiresAt", [None, "1", 1e300, True, [], 10**400]),
        ("parameters", "cost", ["5000", 1.5, -1, 10**9]),
        ("parameters", "nonce", [7, [], "x" * 2000, "zz", ""]),
        ("parameters", "salt", [7, {}, "zz"]),
        ("parameters", "keyLength", ["32", -1, 2**40, None]),
        ("parameters", "keyPrefix", [0, None, "zz"]),
        ("parameters", "data", [7, "x", [1]]),
        ("solution", "counter", ["1", 1.5, -1, 2**70, None, True]),
        ("solution", "derivedKey", [7, None, [], "zz"]),
        ("solution", "time", ["x", None, {}]),
        ("challenge", "signature", [7, [], "zz", "\u00e9"]),
    ],
)
def test_a_value_of_another_type_is_a_403(part: str, name: str, values: list[object]) -> None:
    """Each value of a valid payload is replaced by itself."""
    client, expected = web(), {403}
    right = solved(client.get(CHALLENGE).get_json()).to_base64()
    for value in values:
        if (part, name) == ("solution", "time"):  # which may be accepted, once
            expected = {200, 403}
            right = solved(client.get(CHALLENGE).get_json()).to_base64()
        payload = json.loads(base64.b64decode(right))
        found = payload["challenge"]
        target = {"parameters": found["parameters"], "challenge": found}.get(
            part, payload.get(part)
        )
        target[name] = value
        sent = _base64(json.dumps(payload))
        answer = client.post(SEARCH, json=QUERY, headers={HEADER: sent})
        assert answer.status_code in expected, (name, value)


@pytest.mark.parametrize("sent", ["x", "=", "e30=", _base64("[" * 1000), "a" * 9000, "\u00e9"])
def test_a_malformed_payload_is_no_solution(sent: str) -> None:
    """It may be invalid base64 or JSON, nested too deeply or too long."""
    assert "does not hold the solution" in refusal(web(), sent)


@pytest.fixture(scope="module")
def service() -> Iterator[Serving]:
    """Yield a service that requires a captcha."""
    with FakeGithub() as github:
        user = github.add_user("octocat")
        user.add_gist({"a.txt": "needle"})
        with serving(github, captcha_key=KEY) as running:
            yield running


def test_a_program_can_solve_it_over_http(service: Serving) -> None:
    """It gets a challenge from the service, and sends the solution in a header."""
    challenge = requests.get(f"{service.url}{CHALLENGE}", timeout=10).json()
    headers = {HEADER: solved(challenge).to_base64()}
    url = f"{service.url}{SEARCH}"
    answer = requests.post(url, json=QUERY, headers=headers, timeout=10)
    assert len(answer.json()["matches"]) == 1
    assert service.search("needle").status_code == 403


def test_the_command_asks_for_a_key(service: Serving) -> None:
    """It cannot solve a captcha in a shell."""
    command = ("gistapi", "search", "octocat", "x", "--server", service.url)
    done = run(str(Path(sys.executable).parent / command[0]), *command[1:], environ=environment())
    assert done.returncode == 2
    assert "captcha" in done.stderr
    assert "--key-file FILE" in done.stderr


def test_the_page_solves_one_before_each_search(service: Serving) -> None:
    """This works under the page's CSP; the link does not contain the solution."""
    with chromium() as browser, visit(browser, service.url) as visited:
        page = visited.page
        for pattern, said in (("needle", "1 gist matches"), ("nowhere", "No gist matches")):
            page.get_by_label("GitHub user").fill("octocat")
            page.get_by_label("Pattern").fill(pattern)
            page.get_by_role("button", name="Search").click()
            expect(page.get_by_role("status")).to_contain_text(said)
            assert "altcha" not in page.url
        expect(page.locator("altcha-widget")).to_contain_text("Verified")


def test_the_page_loads_no_widget_without_need(github: FakeGithub) -> None:
    """Without a captcha it loads no file of the widget."""
    with serving(github) as running:
        assert "altcha" not in requests.get(running.url, timeout=10).text


def test_the_widget_is_unmodified() -> None:
    """The files equal those that were published."""
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in STATIC.iterdir()
        if path.suffix in {".js", ".css"}
    }
    assert found == {
        "altcha.css": "03622256effb4e962d0c1da9a59684cf237f541f290703934c07a97dabcbad47",
        "altcha.min.js": "959494398e8fcde3414d09309ade24b444ede098b04dec1514f4754279bff031",
        "pbkdf2.js": "7862add9c9d3d847ded3da928edcf406b46478754b9883351111414825b9c86f",
    }
    assert "MIT" in (STATIC / "LICENSE.txt").read_text("utf-8")
