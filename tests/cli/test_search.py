"""`gistapi search`, locally and through a service, with the fake GitHub."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gistapi.cli import main
from tests.cli.terminals import shown
from tests.fake_github import FakeGithub, Fault, answers
from tests.fake_github.demo import populate
from tests.serving import Serving, environment, run, serving

COMMAND = (sys.executable, "-m", "gistapi", "search")
FEED = "https://gist.github.com/d2f6a9f0c8b14e5c9a3b7e81f4560c2d"
STATUS = "https://gist.github.com/6cad326836d38bd3a7ae"
TEA = "https://gist.github.com/b07c5a1e9d324f68a1c2e3d4f5061728"
HELLO = "https://gist.github.com/1169852"
DEPLOY = "https://gist.github.com/8a1f0d6b3c7e49258f60a4d2b9c3e715"


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeGithub]:
    """Yield a GitHub with the demo's users."""
    with FakeGithub() as fake:
        populate(fake.world)
        fake.rate_limit.limit = 5000  # enough for all tests of the module
        yield fake


@pytest.fixture(scope="module")
def service(hub: FakeGithub) -> Iterator[Serving]:
    """Yield a service of that GitHub."""
    with serving(hub, cache_url="off") as running:
        yield running


@pytest.fixture(autouse=True)
def _settings(hub: FakeGithub, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in environment(hub).items():
        monkeypatch.setenv(name, value)
    yield
    hub.faults.clear()


def search(*words: str) -> Result:
    """Run a search."""
    return CliRunner().invoke(main, ["search", *words])


def test_matches_are_lines_grouped_by_gist() -> None:
    """`file:line:text` follows each gist's address, in plain text where there is no terminal."""
    done = search("octocat", "import requests")
    feed = f"{FEED}  Titles of a feed\nfeed.py:5:import requests\n"
    status = f"{STATUS}  Are the sites up?\nstatus.py:3:import requests\n"
    assert done.stdout in {f"{feed}\n{status}", f"{status}\n{feed}"}
    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("-i", "octocat", "HELLOWORLD"), {HELLO}),
        (("octocat", "HELLOWORLD"), set()),
        (("-F", "octocat", "$HOST:"), {DEPLOY}),
        (("-w", "octocat", "request"), set()),
        (("octocat", "^TODO"), {TEA, FEED}),
        (("--no-multiline", "octocat", "^TODO"), set()),
        (("-U", "octocat", "milk\\s+TODO"), {TEA}),
        (("-S", "octocat", "helloworld"), {HELLO}),
        (("octocat", "-e", "TODO", "-e", "rsync"), {TEA, FEED, DEPLOY}),
        (("@octocat", "https://github.com/hubot", "rsync"), {DEPLOY}),
        (("-v", "octocat", "TODO|requests|rsync"), {HELLO}),
        (("--dotall", "octocat", "Sencha.*TODO"), {TEA}),
        (("-g", "*.py", "octocat", "TODO|requests"), {FEED, STATUS}),
        (("-t", "shell", "octocat", "."), {DEPLOY}),
        (("--since", "2023-11-20", "octocat", "."), {FEED, TEA}),
        (("--until", "2011-08-25", "octocat", "."), {HELLO}),
        (("--limit", "1", "octocat", "."), {FEED}),
        (("hubot", "."), set()),
        (("--gist", FEED, "import requests"), {FEED}),
        ((STATUS, "--gist", TEA.rpartition("/")[2], "import requests"), {STATUS}),
    ],
)
def test_options_narrow_the_search(
    service: Serving, words: tuple[str, ...], found: set[str]
) -> None:
    """They do so locally and through a service; exit code 1 means that nothing matches."""
    here, there = search("-l", *words), search("-l", "--server", service.url, *words)
    for done in (here, there):
        assert set(done.stdout.split()) == found
        assert (done.exit_code, done.stderr) == (0 if found else 1, "")


@pytest.mark.parametrize("server", [False, True])
def test_count_and_json(service: Serving, *, server: bool) -> None:
    """`-c` prints the number of gists that match, `--json` the events of the stream."""
    where = ("--server", service.url) if server else ()
    assert search("-c", *where, "octocat", "import requests").stdout == "2\n"
    assert search("-c", *where, "octocat", "nope").stdout == "0\n"
    lines = [
        json.loads(line) for line in search("--json", *where, "octocat", "ML").stdout.splitlines()
    ]
    assert [line["type"] for line in lines if line["type"] != "progress"] == ["begin", "end"]
    lines = [
        json.loads(line) for line in search("--json", *where, "octocat", "Tea").stdout.splitlines()
    ]
    assert lines[0] == {"type": "begin", "data": {"username": "octocat", "pattern": "Tea"}}
    match = next(line["data"] for line in lines if line["type"] == "match")
    assert (match["gist"], match["files"][0]["matches"][0]["line"]) == (TEA, 1)
    assert lines[-1]["data"]["status"] == "success"


@pytest.mark.parametrize("server", [False, True])
def test_a_faulty_pattern_is_marked(service: Serving, *, server: bool) -> None:
    """Python's message goes to standard error, with a caret below the character; exit code 2."""
    done = search(*(("--server", service.url) if server else ()), "octocat", "import (requests")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        "Error: missing ), unterminated subpattern at position 7\n  import (requests\n         ^\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody", "x"), "GitHub knows no such user"),
        (("octocat", "x", "--since", "yesterday"), "A time is a date such as"),
        (("octocat", "x", "-m", "0"), "0 is not in the range"),
        (("octocat", "x", "-C", "11"), "11 is not in the range"),
        (("octocat", "x", "-t", "pyton"), "did you mean Python?"),
        (("octocat", "x", "-g", "{a,b}" * 9), "at most 4,096 bytes"),
        (("octocat", ""), "empty"),
        (("octocat", "a\udcff"), "surrogate"),
        (("octocat",), "Missing argument 'USER'"),
        ((), "Missing argument 'PATTERN'"),
        (("https://github.com/", "x"), "names no user"),
        (
            ("octocat", "x", "--server", "http://127.0.0.1:1"),
            "cannot be reached: connection refused",
        ),
    ],
)
def test_an_error_is_reported_with_exit_code_2(words: tuple[str, ...], said: str) -> None:
    """Every error is one message on standard error, without a traceback."""
    done = search(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert isinstance(done.exception, SystemExit)


def test_each_wrong_setting_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newline between two faults is printed as such."""
    monkeypatch.setenv("GISTAPI_PORT", "x")
    monkeypatch.setenv("GISTAPI_HOST", "a b")
    done = CliRunner().invoke(main, ["search", "octocat", "x"])
    assert done.exit_code == 2
    lines = [line.partition(": ")[0] for line in done.stderr.removeprefix("Error: ").splitlines()]
    assert lines == ["GISTAPI_HOST", "GISTAPI_PORT"]


@pytest.mark.parametrize("server", [False, True])
def test_an_incomplete_search_is_reported_with_exit_code_2(
    hub: FakeGithub, service: Serving, *, server: bool
) -> None:
    """Matches are printed as usual."""
    hub.faults.inject(Fault(answer=answers.server_error(500)), path=HELLO.rpartition("/")[2])
    where = ("--server", service.url) if server else ()
    done = search(*where, "octocat", "import requests|HelloWorld(?=$)")
    assert done.exit_code == 2
    assert f"gistapi: {HELLO}/hello_world.rb: " in done.stderr
    assert "[file_unavailable]" in done.stderr
    assert {FEED, STATUS} <= set(done.stdout.split())
    counted = search("-c", *where, "octocat", "import requests|HelloWorld(?=$)")
    assert (counted.exit_code, counted.stdout, counted.stderr) == (2, "2\n", done.stderr)


def test_a_search_continues_after_a_deadline(
    hub: FakeGithub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deadline ends one answer: the command follows `next` to the end."""
    monkeypatch.setenv("GISTAPI_SEARCH_DEADLINE_SECONDS", "3")
    monkeypatch.setenv("GISTAPI_CACHE_URL", "off")
    hub.faults.inject(Fault(held=threading.Event()), path="hello_world.rb", times=1)
    done = search("--json", "octocat", "requests|HelloWorld|rsync")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = [line["data"]["gist"] for line in lines if line["type"] == "match"]
    assert sorted(found) == sorted([FEED, STATUS, HELLO, DEPLOY])
    assert [line["type"] for line in lines].count("begin") == 1
    end = lines[-1]["data"]
    assert (end["matches"], end["status"], "next" in end) == (4, "success", False)
    assert end["elapsed_seconds"] > 3
    assert done.exit_code == 0


def test_the_cache_is_kept_between_searches(hub: FakeGithub, tmp_path: Path) -> None:
    """A second search fetches no file again."""
    environ = environment(hub) | {"GISTAPI_CACHE_URL": f"sqlite:///{tmp_path}/c.sqlite3"}
    for fetched in (True, False):
        hub.forget()
        done = run(*COMMAND, "-c", "octocat", "import requests", environ=environ)
        assert (done.stdout, done.returncode) == ("2\n", 0)
        assert bool(hub.requests_to("raw")) is fetched


def terminal(
    hub: FakeGithub, *words: str, look: Callable[[bytearray], None] = lambda _: None
) -> str:
    """What a terminal receives; `look` is called with what has arrived so far."""
    environ = environment(hub) | {"TERM": "xterm-256color", "COLUMNS": "100"}
    return shown([*COMMAND, *words], environ, look=look)


def test_a_terminal_gets_colours_and_a_bar(hub: FakeGithub) -> None:
    """The match is coloured, and the counts change while the search runs."""
    gate = threading.Event()
    hub.faults.inject(Fault(held=gate), path="deploy.sh")

    def look(seen: bytearray) -> None:
        if re.search(rb"4 of 5 gists, \d files, 0\.0 MB", seen):
            gate.set()

    seen = terminal(hub, "octocat", "import (requests)", look=look)
    assert "\x1b[0m\x1b[1m\x1b[31mimport requests\x1b[0m" in seen
    assert "━" in seen
    assert gate.is_set()
    assert re.search(r"gistapi: 2 gists match\. Searched 5 gists, 7 files, .* s\.\r\n$", seen)


def test_a_faulty_pattern_is_marked_on_a_terminal_too(hub: FakeGithub) -> None:
    """The bar is removed, and the error stays."""
    assert "  import (requests\r\n         ^\r\n" in terminal(hub, "octocat", "import (requests")
