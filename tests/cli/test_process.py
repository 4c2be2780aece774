"""However the command ends, it does end, with the exit code for what happened."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stub_service import begin, end, incomplete, simple_match, stub
from tests.fake_github import FakeGithub, Fault
from tests.serving import alive, environment, run

SEARCH = (sys.executable, "-m", "gistapi", "search")
AT_ONCE = 4
SECONDS = 60
"""A limit that only a hang reaches."""


def answer(asked: dict[str, Any]) -> Iterator[Any]:
    """Answer by what is searched for; `hang` never ends."""
    pattern = asked["pattern"]
    yield begin()
    if pattern == "nothing":
        yield end(0)
        return
    if pattern == "quiet":
        yield from hang()
    yield simple_match("a1", description="Sencha \u714e\u8336 \ud800")
    if pattern == "missing":
        yield incomplete("file_unavailable", "https://gist.github.com/b2")
    if pattern == "hang":
        yield from hang()
    for number in range(2000 if pattern == "many" else 1):
        yield simple_match(f"c{number}")
    if pattern != "broken":
        yield end(2)


def hang() -> Iterator[Any]:
    """Lines without end; the stub's socket fails when the command has ended."""
    paused = threading.Event()
    while True:
        paused.wait(0.05)
        data = {"gists_done": 1, "gists_total": None, "files_done": 1, "bytes_done": 1}
        yield {"type": "progress", "data": data}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Yield the address of a service that answers so."""
    with stub(answer) as service:
        yield service.url


@dataclass(frozen=True)
class Case:
    """A way to run the command, and the exit codes that are right for it."""

    pattern: str
    codes: set[int]
    options: tuple[str, ...] = ()
    tail: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    said: str = ""
    stop: tuple[signal.Signals, float] | None = None
    stalls: bool = False


STARTING = re.compile(
    r"Fatal Python error: init_|<frozen runpy>|<frozen site>|<frozen importlib\._bootstrap"
)
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
FULL = "cannot write to standard output: No space left on device"
CASES = {
    "matches": Case("x", {0}),
    "nothing matches": Case("nothing", {1}),
    "nothing matches, quiet": Case("nothing", {1}, ("-q",)),
    "quiet stops at a match": Case("hang", {0}, ("-q",)),
    "something is missing": Case("missing", {2}, said="[file_unavailable]"),
    "the answer breaks off": Case("broken", {2}, said="broke off"),
    "full disk": Case("x", {2}, tail=">/dev/full", said=FULL),
    "full disk while searching": Case("hang", {2}, tail=">/dev/full", said=FULL),
    "full disk, addresses": Case("x", {2}, ("-l",), tail=">/dev/full", said=FULL),
    "full disk, count": Case("x", {2}, ("-c",), tail=">/dev/full", said=FULL),
    "full disk, count of none": Case("nothing", {2}, ("-c",), tail=">/dev/full", said=FULL),
    "full disk, JSON": Case("x", {2}, ("--json",), tail=">/dev/full", said=FULL),
    "full disk, help": Case("x", {2}, ("--help",), tail=">/dev/full", said="No space left"),
    "full disk, messages": Case("missing", {2}, tail="2>/dev/full"),
    "closed output": Case("x", {2}, tail=">&-", said="cannot write to standard output"),
    "closed messages": Case("missing", {2}, tail="2>&-"),
    "closed input": Case("x", {0}, tail="<&-"),
    "closed pipe": Case("many", {0}, tail="| true"),
    "closed pipe, addresses": Case("hang", {0}, ("-l",), tail="| head -1"),
    "closed pipe before a match": Case("quiet", {141}, ("--json",), tail="| head -0"),
    "closed pipe, one line": Case("many", {0}, tail="| head -1"),
    "latin-1": Case("x", {0}, environ={"PYTHONIOENCODING": "latin-1"}),
    "ascii": Case("x", {0}, environ={"PYTHONIOENCODING": "ascii"}),
    "C locale": Case("x", {0}, environ=C_LOCALE),
    "latin-1, faulty pattern": Case(
        "\u8336(", {2}, environ={"PYTHONIOENCODING": "latin-1"}, said="unterminated"
    ),
    "wrong option": Case("x", {2}, ("--nonsense",), said="No such option"),
    "unreadable key": Case("x", {2}, ("--key-file", "/"), said="cannot be read"),
}
MOMENTS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5)
CASES |= {
    f"{number.name} after {moment} s": Case("hang", {-number, 128 + number}, stop=(number, moment))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for moment in MOMENTS
}


def end_of(
    case: Case, server: str, folder: Path, environ: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run a case; returns the exit code and what was written to standard error."""
    environ = (environ or environment()) | {"HOME": str(folder)} | case.environ
    if server:
        environ["GISTAPI_SERVER"] = server
    words = (*SEARCH, *case.options, "octocat", case.pattern)
    if case.stop is not None:
        number, moment = case.stop
        with subprocess.Popen(
            words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            timer = threading.Timer(moment, process.send_signal, (number,))
            timer.start()
            try:
                _, said = process.communicate(timeout=SECONDS)
            finally:
                process.kill()
            timer.join()
            if STARTING.search(said):  # the interpreter had not reached our code
                return -number, ""
            return process.returncode, said
    program = f'"$@" {case.tail}; exit ${{PIPESTATUS[0]}}'
    done = run("bash", "-c", program, "bash", *words, environ=environ, timeout=SECONDS)
    return done.returncode, done.stderr


def test_a_hundred_runs_end_with_the_right_exit_codes(server: str, tmp_path: Path) -> None:
    """Closed pipes, full disks, encodings and signals at any moment cause no hang or traceback."""
    names = [name for name in CASES for _ in range(1 if CASES[name].stop else 2)]
    names += ["SIGINT after 0.3 s", "SIGTERM after 0.3 s"] * ((101 - len(names)) // 2)
    assert len(names) >= 100
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = list(pool.map(lambda name: end_of(CASES[name], server, tmp_path), names))
    wrong = {
        name: (code, said)
        for name, (code, said) in zip(names, ends, strict=True)
        if code not in CASES[name].codes or CASES[name].said not in said or "Traceback" in said
    }
    assert wrong == {}


def program(patch: str) -> str:
    """The command with a patch, as a program."""
    return (
        "from gistapi import __main__\nfrom gistapi.cli import search, formats, process\n"
        f"{patch}\n__main__.run()"
    )


def patched(patch: str, server: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command with a patch."""
    environ = environment() | {"GISTAPI_SERVER": server}
    return run(sys.executable, "-c", program(patch), "search", *words, environ=environ)


@pytest.mark.parametrize("error", ["KeyError('x')", "MemoryError()", "RecursionError('deep')"])
def test_an_unexpected_exception_is_reported(server: str, error: str) -> None:
    """It is one line with exit code 2; --verbose adds the traceback."""
    patch = f"def fail(*_): raise {error}\nformats.LineFormat.gist = fail"
    for options in ((), ("--verbose",)):
        done = patched(patch, server, *options, "octocat", "hang")
        kind = error.partition("(")[0]
        assert done.returncode == 2
        assert f"gistapi: internal error: {kind} at " in done.stderr
        assert ("Traceback" in done.stderr) is bool(options)


@pytest.mark.parametrize(
    ("words", "code"),
    [("-q octocat x", 0), ("octocat x >/dev/full", 2), ("octocat many | true", 0)],
)
def test_a_search_that_cannot_be_closed_does_not_hang(server: str, words: str, code: int) -> None:
    """The process ends although closing the search waits for ever."""
    patch = (
        "import threading\nfollow = search.follow\n"
        "def stuck(*words):\n"
        "    try:\n        yield from follow(*words)\n"
        "    finally:\n        threading.Event().wait()\n"
        "search.follow = stuck"
    )
    command = f'"$@" search {words}; exit ${{PIPESTATUS[0]}}'
    environ = environment() | {"GISTAPI_SERVER": server}
    words_of_python = (sys.executable, "-c", program(patch))
    done = run("bash", "-c", command, "bash", *words_of_python, environ=environ)
    assert done.returncode == code


def test_a_signal_whose_handler_hangs_ends_the_process(server: str) -> None:
    """The watchdog ends it when the main thread never leaves the handler."""
    patch = (
        "import os, signal\n"
        "def stuck(*words):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    yield\n"
        "def lost(number, frame):\n"
        "    while True: pass\n"
        "process._end = lost\n"
        "search.follow = stuck"
    )
    assert patched(patch, server, "octocat", "x").returncode == 143


def test_a_signal_whose_exception_is_replaced_ends_it_too(server: str) -> None:
    """Python 3.11 replaces what `__set_name__` raises: this was an internal error, exit code 2."""
    patch = (
        "import os\n"
        "def replaced(*words):\n"
        "    try:\n        os.kill(os.getpid(), 15)\n        yield\n"
        "    except BaseException as error:\n        raise RuntimeError from error\n"
        "search.follow = replaced"
    )
    done = patched(patch, server, "octocat", "x")
    assert (done.returncode, done.stderr) == (143, "")


def test_a_full_disk_fails_every_command() -> None:
    """The exit code is 2 for each command that prints something."""
    for words in ("config", "--help", "--version", "man", "completion bash", "keys list"):
        program = f'"$@" {words} >/dev/full'
        done = run(
            "bash", "-c", program, "bash", sys.executable, "-m", "gistapi", environ=environment()
        )
        assert (words, done.returncode) == (words, 2 if words != "keys list" else 0)
        assert "Traceback" not in done.stderr


def test_an_ignored_signal_stays_ignored(server: str) -> None:
    """`nohup gistapi search` survives the end of its terminal."""
    words = (*SEARCH, "octocat", "x")
    program = "trap '' HUP; kill -HUP $BASHPID; \"$@\" & kill -HUP $!; wait $!"
    environ = environment() | {"GISTAPI_SERVER": server, "TERM": os.environ.get("TERM", "")}
    assert run("bash", "-c", program, "bash", *words, environ=environ).returncode == 0


LOCAL = {
    "matches": Case("needle", {0}),
    "nothing matches": Case("nothing", {1}),
    "full disk": Case("needle", {2}, tail=">/dev/full", said=FULL),
    "closed pipe": Case("needle", {0}, tail="| true", stalls=True),
    "quiet": Case("needle", {0}, ("-q",), stalls=True),
    "full disk while reading": Case("needle", {2}, tail=">/dev/full", said=FULL, stalls=True),
    "latin-1": Case("needle", {0}, environ={"PYTHONIOENCODING": "latin-1"}),
    "ascii": Case("needle", {0}, environ={"PYTHONIOENCODING": "ascii"}),
    "no such user": Case("needle", {2}, ("nobody",), said="nobody"),
}


@pytest.mark.parametrize("name", LOCAL)
def test_a_local_search_ends_too(github: FakeGithub, tmp_path: Path, name: str) -> None:
    """It ends while files are being read: one match is printed, the other file hangs."""
    user = github.add_user("octocat")
    user.add_gist({"a.txt": "needle"}, description="Sencha \u714e\u8336 \ud800")
    user.add_gist({"b.txt": "another text"})
    environ = environment(github)
    case = LOCAL[name]
    if case.stalls:
        github.faults.inject(Fault(latency_seconds=3600), path="b.txt")
    code, said = end_of(case, "", tmp_path, environ)
    assert (code in case.codes, case.said in said, "Traceback" in said) == (True, True, False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_local_search(github: FakeGithub, number: signal.Signals) -> None:
    """All processes that it started end too."""
    github.add_user("octocat").add_gist({"a.txt": "needle"})
    github.faults.inject(Fault(latency_seconds=3600), origin="raw")
    with subprocess.Popen(
        (*SEARCH, "octocat", "needle"),
        env=environment(github),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        while not github.requests_to("raw"):
            assert process.poll() is None
        process.send_signal(number)
        output = process.communicate(timeout=SECONDS)
    assert (process.returncode, output) == (128 + number, (b"", b""))
    assert process.pid not in alive().values()
