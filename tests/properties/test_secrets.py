"""No secret is shown: canaries in every place for secrets, driven through every failure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from gistapi.cache import open_cache
from gistapi.events import ignore
from gistapi.github import Freshness, Github
from gistapi.quota.nonces import NonceStore
from gistapi.settings import Settings
from gistapi.web import Captcha
from tests.fake_github import FakeGithub, Fault, answers
from tests.serving import SERVE, Serving, environment, free_port, run, serving

CANARY = "canary"
SECRETS: dict[str, Any] = {
    "github_token": "ghp_canary_of_the_token",
    "captcha_key": "canary-of-the-captcha-canary-of-the-captcha",
}
KEY = "gak_canary_of_a_caller"
HEADERS = {"Authorization": f"Bearer {KEY}", "X-API-Key": KEY, "X-Captcha": f"{CANARY}=="}
QUERY = {"username": "octocat", "pattern": "needle"}
FAULTS = (
    Fault(answer=answers.bad_credentials()),
    Fault(answer=answers.error(403, "Forbidden")),
    Fault(answer=answers.not_found()),
    Fault(answer=answers.spammed()),
    Fault(answer=answers.blocked()),
    Fault(answer=answers.server_error(500)),
    Fault(answer=answers.unicorn(200)),
    Fault(answer=answers.redirect("http://127.0.0.1:9/elsewhere")),
    Fault(answer=answers.redirect("//[")),
    Fault(cut_head_at=0, reset=True),
    Fault(cut_body_at=10, reset=True),
    Fault(gzip="corrupt"),
    Fault(latency_seconds=3),
    # Longer than any deadline, however long after the collection it is used: answered at once.
    Fault(answer=answers.primary_limit(reset_in=7200)),
)


@pytest.fixture
def settings() -> dict[str, Any]:
    """Return settings full of secrets; the cache's server does not exist."""
    url = f"redis://user:canary-of-the-cache@127.0.0.1:{free_port()}/0"
    return SECRETS | {"cache_url": url, "log_level": "debug", "github_timeout_seconds": 1}


def shown_by(service: Serving, answer: requests.Response) -> str:
    """All parts of an answer, and all that the service can be asked for."""
    texts = [answer.text, str(answer.headers)]
    for path in ("/metrics", "/readyz?verbose", "/openapi.json", "/", "/api/v1/captcha"):
        found = requests.get(f"{service.url}{path}", headers=HEADERS, timeout=10)
        texts += [found.text, str(found.headers)]
    return "".join(texts)


def command_lines(service: Serving) -> str:
    """What the list of processes shows of all the service's processes."""
    return "".join(Path(f"/proc/{pid}/cmdline").read_text("utf-8") for pid in service.look())


def wrong_requests() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Requests that are refused for each reason; no answer or log shows the pattern either."""
    json: dict[str, Any] = QUERY | {"pattern": "needle("}
    yield "POST", "/api/v1/search", {"json": json}
    yield "POST", "/api/v1/search", {"json": QUERY | {"cursor": KEY}}
    yield "POST", "/api/v1/search", {"json": QUERY | {"limit": 0}}
    yield "POST", "/api/v1/search", {"data": b"x" * 70_000}
    yield "POST", "/api/v1/search", {"data": b"{", "headers": HEADERS}
    yield "PUT", "/api/v1/search", {}
    yield "GET", "/nowhere", {}


@pytest.mark.parametrize("captcha", [True, False])
def test_a_service_in_trouble_shows_no_secret(
    github: FakeGithub, settings: dict[str, Any], *, captcha: bool
) -> None:
    """Answers, metrics, health, log and list of processes, whatever GitHub or a caller does."""
    github.add_user("octocat").add_gist({"a.txt": "needle"})
    if not captcha:  # which would refuse before anything else could fail
        del settings["captcha_key"]
    statuses = set()
    with serving(github, listing_ttl_seconds=0, **settings) as service:
        url = f"{service.url}/api/v1/search"
        for fault in FAULTS:
            for origin in ("api", "raw"):
                github.faults.clear()
                github.faults.inject(fault, origin=origin)
                answer = requests.post(url, json=QUERY, headers=HEADERS, timeout=30)
                statuses.add(answer.status_code)
                assert CANARY not in shown_by(service, answer), fault
        for method, path, sent in wrong_requests():
            merged = {"headers": HEADERS} | sent
            answer = requests.request(method, f"{service.url}{path}", timeout=10, **merged)
            assert answer.status_code >= 400
            assert CANARY not in shown_by(service, answer)
        assert CANARY not in command_lines(service)
        service.process.terminate()
        assert service.ended() == 0
        log = service.log
    assert '"message": "request to GitHub"' in log or captcha
    assert '"cache failed"' in log or captcha
    assert statuses == ({403} if captcha else statuses)
    assert CANARY not in log


def test_an_unforeseen_error_shows_no_secret(
    github: FakeGithub, settings: dict[str, Any], tmp_path: Path
) -> None:
    """A bug of the service, with the secrets within reach of its traceback."""
    program = tmp_path / "broken.py"
    program.write_text(
        "import sys\n"
        "from gistapi import search\n"
        "def broken(self, *args, **kwargs):\n"
        "    held = vars(self._source)\n"
        "    raise ZeroDivisionError('broken')\n"
        "search.Searcher.search = broken\n"
        "from gistapi.cli import main\n"
        "main(['serve'])\n"
    )
    del settings["captcha_key"]
    for form in ("json", "text"):
        command = (sys.executable, str(program))
        with serving(github, command, log_format=form, **settings) as service:
            url = f"{service.url}/api/v1/search"
            answer = requests.post(url, json=QUERY, headers=HEADERS, timeout=10)
            assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
            assert CANARY not in answer.text
            assert "ZeroDivisionError" not in answer.text
            assert "ZeroDivisionError" in service.log
            assert CANARY not in service.log


def test_wrong_settings_show_no_secret(settings: dict[str, Any]) -> None:
    """Neither `gistapi config`, nor the list of faults, nor a start that fails shows one."""
    shown = run(sys.executable, "-m", "gistapi", "config", environ=environment(None, **settings))
    assert shown.returncode == 0
    faulty = settings | {
        "github_token": "canary canary",
        "cache_url": "canary://canary@x",
        "captcha_key": "canary",
        "port": "http",
    }
    for wrong in (
        faulty,
        settings | {"host": "203.0.113.1"},
        settings | {"cache_url": "redis://:canary@[x"},
    ):
        done = run(*SERVE, environ=environment(None, **wrong))
        assert done.returncode in {1, 2}
        assert CANARY not in done.stdout + done.stderr
    assert CANARY not in shown.stdout + shown.stderr


def test_no_object_shows_a_secret() -> None:
    """The parts that hold a secret have no representation that shows it."""
    settings = Settings(
        github_token="ghp_canary",  # type: ignore[arg-type]
        captcha_key="canary" * 6,  # type: ignore[arg-type]
        cache_url="redis://:canary@127.0.0.1:1",
    )
    cache = open_cache(settings.cache_url)
    github = Github(
        api_url=settings.github_api_url,
        content_hosts=settings.github_content_hosts,
        token="ghp_canary",
        timeout_seconds=1,
        concurrency_total=1,
        store=cache,
        freshness=Freshness(60, 0),
        observe=ignore,
    )

    for held in (settings, cache, github, Captcha("canary" * 6, NonceStore())):
        assert CANARY not in repr(held)
        assert CANARY not in str(held)
    cache.close()
