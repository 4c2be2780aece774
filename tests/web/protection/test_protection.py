"""Keys and limits of a running service."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
import requests

from tests.fake_github import FakeGithub, Fault
from tests.serving import Serving, environment, run, serving
from tests.waiting import HANG_SECONDS, until

GISTAPI = (sys.executable, "-m", "gistapi")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a key file that does not exist yet."""
    return tmp_path / "keys.json"


@pytest.fixture(autouse=True)
def _octocat(github: FakeGithub) -> None:
    github.add_user("octocat").add_gist({"a.txt": "needle"})


def command(file: Path, *words: str) -> str:
    """Run `gistapi keys`; returns its output."""
    done = run(*GISTAPI, "keys", *words, environ=environment(keys_file=file))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def ask(service: Serving, key: str | None = None, **fields: object) -> requests.Response:
    """Send a search, with a key."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    body = {"username": "octocat", "pattern": "needle"} | fields
    return requests.post(
        f"{service.url}/api/v1/search",
        json=body,
        headers=headers,
        auth=lambda r: r,
        timeout=HANG_SECONDS,
    )


def test_keys_are_created_and_revoked_without_a_restart(
    github: FakeGithub, file: Path, tmp_path: Path
) -> None:
    """The command works beside the running service, and creates the folder of the file."""
    file = tmp_path / "not" / "there" / "keys.json"
    with serving(github, keys_file=file) as service:
        assert ask(service).status_code == 200
        first = command(file, "create", "ci")
        assert ask(service).status_code == 401
        assert ask(service, first).status_code == 200
        second = command(file, "create", "phone")
        command(file, "revoke", "ci")
        statuses = [ask(service, key).status_code for key in (None, first, second)]
        assert statuses == [401, 401, 200]
        log = service.log
    assert not any(key in log for key in (first, second))


def test_the_command_searches_with_a_key(github: FakeGithub, file: Path) -> None:
    """`--key-file` names a file with the output of `gistapi keys create`."""
    key = file.with_name("key")
    key.write_text(command(file, "create", "ci") + "\n")
    with serving(github, keys_file=file) as service:
        asked = (*GISTAPI, "search", "--server", service.url, "octocat", "needle", "-l")
        without = run(*asked, environ=environment())
        with_key = run(*asked, "--key-file", str(key), environ=environment())
    assert (without.returncode, without.stdout) == (2, "")
    assert without.stderr == (
        "Error: An API key is required. Send `Authorization: Bearer KEY`."
        " Name a file with a key of this service: --key-file FILE.\n"
    )
    assert with_key.returncode == 0
    assert with_key.stdout.startswith("https://gist.github.com/")


def test_too_many_searches_are_refused_and_ping_answers(
    github: FakeGithub,
) -> None:
    """64 run, and others get a 503 at once; when they have ended, searches are accepted again."""
    github.add_user("slow").add_gist({"a.txt": "hay"})
    gate = threading.Event()
    github.faults.inject(Fault(held=gate), origin="raw")
    answers: Counter[int] = Counter()
    with serving(
        github, github_timeout_seconds=100, search_deadline_seconds=100, caller_searches=64
    ) as service:

        def search(number: int) -> None:
            answer = ask(service, username="slow", pattern=f"x{number}")
            answers[answer.status_code] += 1
            if answer.status_code == 503:
                assert answer.json()["code"] == "overloaded"
                assert answer.headers["Retry-After"] == "1"

        threads = [threading.Thread(target=search, args=(number,)) for number in range(100)]
        for thread in threads:
            thread.start()
        until(lambda: answers[503] == 36)
        assert requests.get(f"{service.url}/ping", timeout=HANG_SECONDS).text == "pong"
        assert answers[200] == 0
        gate.set()
        for thread in threads:
            thread.join()
        assert answers == {200: 64, 503: 36}
        assert ask(service).status_code == 200
