"""The captcha: a challenge is solved once, in time, by whoever has no key."""

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
    """Make the challenges of this process cost little to solve; a service's cost what they do."""
    monkeypatch.setattr(module, "ITERATIONS", 10)


def web(key: str = KEY) -> FlaskClient:
    """A client of an application that asks for a captcha."""
    guard = Guard(captcha=Captcha(key, NonceStore()))
    return create_web(Searches(), guard=guard).test_client()


def solved(challenge: dict[str, Any]) -> altcha.Payload:
    """The work, done."""
    parsed = altcha.Challenge.from_dict(challenge)
    solution = altcha.solve_challenge(parsed)
    assert solution is not None
    return altcha.Payload(parsed, solution)


def refusal(client: FlaskClient, sent: str) -> str:
    """The message of the 403 that this header is answered with."""
    answer = client.post(SEARCH, json=QUERY, headers={HEADER: sent})
    body = answer.get_json()
    assert (answer.status_code, body["code"]) == (403, "captcha_required")
    return str(body["message"])


def test_a_solved_challenge_is_good_for_one_search() -> None:
    """Without it 403, with it 200, with the same again 403."""
    client = web()
    assert CHALLENGE in refusal(client, "")
    sent = solved(client.get(CHALLENGE).get_json()).to_base64()
    assert client.post(SEARCH, json=QUERY, headers={HEADER: sent}).status_code == 200
    assert "used before" in refusal(client, sent)


def test_the_body_is_looked_at_only_after_the_captcha() -> None:
    """A captcha comes before 415 and 400, and after 413."""
    client = web()
    assert client.post(SEARCH, data="x").status_code == 403
    assert client.post(SEARCH, data="x" * 70_000).status_code == 413


def test_challenges_differ_are_signed_and_not_to_be_stored() -> None:
    """Each has a nonce of its own, an end, and a signature."""
    client = web()
    first, second = client.get(CHALLENGE), client.get(CHALLENGE)
    assert first.headers["Cache-Control"] == "no-store"
    nonces = {answer.get_json()["parameters"]["nonce"] for answer in (first, second)}
    assert len(nonces) == 2
    assert first.get_json()["parameters"]["expiresAt"]
    assert first.get_json()["signature"]


def test_without_a_key_there_is_no_captcha() -> None:
    """Off by default: nothing is asked, and there is no challenge."""
    client = Searches().client()
    assert client.get(CHALLENGE).status_code == 404
    assert client.post(SEARCH, json=QUERY).status_code == 200


def _weaken(payload: altcha.Payload) -> None:
    payload.challenge.parameters.cost = 1


def _prolong(payload: altcha.Payload) -> None:
    assert payload.challenge.parameters.expires_at is not None
    payload.challenge.parameters.expires_at += 3600


def _unsign(payload: altcha.Payload) -> None:
    payload.challenge.signature = None


def _guess(payload: altcha.Payload) -> None:
    payload.solution.counter += 1


def _pretend(payload: altcha.Payload) -> None:
    payload.solution.derived_key = "00" * 32


@pytest.mark.parametrize("forge", [_weaken, _prolong, _unsign, _guess, _pretend])
def test_a_forged_solution_is_refused(forge: Callable[[altcha.Payload], None]) -> None:
    """Whatever is changed of challenge or solution."""
    client = web()
    payload = solved(client.get(CHALLENGE).get_json())
    good = payload.to_base64()
    forge(payload)
    assert "not" in refusal(client, payload.to_base64())
    assert client.post(SEARCH, json=QUERY, headers={HEADER: good}).status_code == 200


def test_a_challenge_of_another_key_is_refused() -> None:
    """Who signs with a key of his own gets nowhere."""
    assert "not solved" in refusal(
        web(), solved(web("j" * 32).get(CHALLENGE).get_json()).to_base64()
    )


def test_an_expired_challenge_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time is in the signed part."""
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


def test_nonsense_is_no_solution() -> None:
    """Any JSON in the header is a 403, never a fault of ours."""
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
def test_a_value_of_another_type_is_no_fault_of_the_service(
    part: str, name: str, values: list[object]
) -> None:
    """In a payload that is otherwise right, each value by itself: 403, never 500."""
    client, expected = web(), {403}
    right = solved(client.get(CHALLENGE).get_json()).to_base64()
    for value in values:
        if (part, name) == ("solution", "time"):  # which may pass, and then uses the solution up
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
def test_what_is_no_payload_is_no_solution(sent: str) -> None:
    """Neither is what is no base64, no JSON, too deep or too long."""
    assert "does not hold the solution" in refusal(web(), sent)


@pytest.fixture(scope="module")
def service() -> Iterator[Serving]:
    """Give a service that asks for a captcha."""
    with FakeGithub() as github:
        user = github.add_user("octocat")
        user.add_gist({"a.txt": "needle"})
        with serving(github, captcha_key=KEY) as running:
            yield running


def test_a_program_can_solve_it_over_http(service: Serving) -> None:
    """The challenge as the service gives it, the solution in a header."""
    challenge = requests.get(f"{service.url}{CHALLENGE}", timeout=10).json()
    headers = {HEADER: solved(challenge).to_base64()}
    url = f"{service.url}{SEARCH}"
    answer = requests.post(url, json=QUERY, headers=headers, timeout=10)
    assert len(answer.json()["matches"]) == 1
    assert service.search("needle").status_code == 403


def test_the_command_says_what_it_needs(service: Serving) -> None:
    """A shell solves no captcha: it wants a key."""
    command = ("gistapi", "search", "octocat", "x", "--server", service.url)
    done = run(str(Path(sys.executable).parent / command[0]), *command[1:], environ=environment())
    assert done.returncode == 2
    assert "captcha" in done.stderr
    assert "--key-file FILE" in done.stderr


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_solves_one_before_each_search(service: Serving, theme: Any) -> None:
    """With the page's policy in force, and nothing of it in the link; twice: each is used up."""
    with chromium() as browser, visit(browser, service.url, theme=theme) as visited:
        page = visited.page
        for pattern, said in (("needle", "1 gist matches"), ("nowhere", "No gist matches")):
            page.get_by_label("GitHub user").fill("octocat")
            page.get_by_label("Pattern").fill(pattern)
            page.get_by_role("button", name="Search").click()
            expect(page.get_by_role("status")).to_contain_text(said)
            assert "altcha" not in page.url
        expect(page.locator("altcha-widget")).to_contain_text("Verified")


def test_the_page_works_no_more_than_it_must(github: FakeGithub) -> None:
    """Without a captcha nothing of the widget is loaded."""
    with serving(github) as running:
        assert "altcha" not in requests.get(running.url, timeout=10).text


def test_the_widget_is_the_one_that_was_published() -> None:
    """The files that others wrote are unchanged."""
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
