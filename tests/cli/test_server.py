"""The service as a process: each way to start it, and its shutdown."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

import pytest
import requests

from gistapi.cli import server
from tests.fake_github import FakeGithub, Fault
from tests.serving import ROOT, SECONDS, SERVE, Serving, environment, free_port, run, serving
from tests.waiting import until

BIN = Path(sys.executable).parent
WAYS = {
    "the command": [str(BIN / "gistapi"), "serve"],
    "the module": [sys.executable, "-m", "gistapi"],
    "the script": [sys.executable, "gistapi/gistapi.py"],
    "flask": [str(BIN / "flask"), "--app", "gistapi", "run"],
}
# A pattern that Python's `re` has to search for, in a worker process.
BY_WORKER = "(?<=import )requests"
HEAD = b"POST /api/v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_start_searches(github: FakeGithub, way: str) -> None:
    """Each searches, with a worker process too, and leaves no process behind."""
    user = github.add_user("octocat")
    user.add_gist({"a.py": "import requests"})
    port = free_port()
    command = WAYS[way] + (["--port", str(port)] if way == "flask" else [])
    with serving(github, command, port=port) as service:
        answer = service.search(BY_WORKER)
        assert answer.status_code == 200
        assert answer.json()["matches"] == user.matching("import")
        assert len(service.look()) >= 2
        service.process.send_signal(signal.SIGINT if way == "flask" else signal.SIGTERM)
        assert service.ended() == 0


def test_the_script_starts_from_any_folder(github: FakeGithub, tmp_path: Path) -> None:
    """The working directory does not matter."""
    github.add_user("octocat").add_gist({"a.py": "import requests"})
    command = [sys.executable, str(ROOT / "gistapi" / "gistapi.py")]
    with serving(github, command, cwd=tmp_path) as service:
        assert len(service.search(BY_WORKER).json()["matches"]) == 1


def test_debug_is_off_and_a_wsgi_server_finds_the_app() -> None:
    """`gistapi.gistapi:app` and `gistapi.create_app` are the same, without debug."""
    program = (
        "from gistapi.gistapi import app; from gistapi import create_app;"
        "print(app.debug, create_app().debug, app.test_client().get('/ping').text)"
    )
    done = run(sys.executable, "-W", "error", "-c", program, environ=environment())
    assert (done.stdout, done.stderr) == ("False False pong\n", "")


@pytest.fixture
def slow(github: FakeGithub) -> FakeGithub:
    """A GitHub on which a search of octocat's gists takes longer than any grace period."""
    user = github.add_user("octocat")
    for number in range(3):
        user.add_gist({f"f{number}": f"needle {number}"})
    github.faults.inject(Fault(held=threading.Event()), path="/f0")
    return github


def begin(service: Serving, github: FakeGithub) -> SimpleQueue[requests.Response]:
    """Begin a search in a thread, and wait until it reads files; returns a queue for its answer."""
    answers: SimpleQueue[requests.Response] = SimpleQueue()
    threading.Thread(target=lambda: answers.put(service.search("needle")), daemon=True).start()
    until(lambda: len(github.requests_to("raw")) == 3)
    return answers


def partial(answer: requests.Response) -> bool:
    """Whether a search was ended by the shutdown: it says so, with its matches and `next`."""
    body = answer.json()
    return (
        (answer.status_code, body["status"]) == (200, "partial")
        and [gap["reason"] for gap in body["incomplete"]] == ["shutting_down"]
        and len(body["matches"]) == 2
        and bool(body["next"])
    )


def accepts(port: int) -> bool:
    """Whether a process listens on this port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_sigterm_ends_running_searches_with_an_answer(slow: FakeGithub) -> None:
    """New connections are refused, and an open one gets a 503 for a new search."""
    with serving(slow, github_timeout_seconds=100) as service, requests.Session() as session:
        assert session.get(f"{service.url}/ping", timeout=SECONDS).text == "pong"
        answers = begin(service, slow)
        service.process.terminate()
        until(lambda: not accepts(service.port))
        listed = len(slow.requests_to("api"))
        another = {"username": "octocat", "pattern": "another"}
        with suppress(requests.ConnectionError):
            late = session.post(f"{service.url}/api/v1/search", json=another, timeout=SECONDS)
            assert late.status_code == 503
        assert len(slow.requests_to("api")) == listed
        assert partial(answers.get(timeout=SECONDS))
        assert service.ended() == 0


def test_repeated_signals_change_nothing(slow: FakeGithub) -> None:
    """SIGINT to all processes at once, and more signals after it, cause the same shutdown."""
    with serving(slow, github_timeout_seconds=100) as service:
        answers = begin(service, slow)
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            os.killpg(service.process.pid, name)
            until(lambda: not accepts(service.port))
        assert partial(answers.get(timeout=SECONDS))
        assert service.ended() == 0


@pytest.mark.parametrize("sent", [b"", HEAD, HEAD + b"Content-Length: 99\r\n\r\n{"])
def test_an_unfinished_request_does_not_delay_the_shutdown(github: FakeGithub, sent: bytes) -> None:
    """With a silent connection, half a head or half a body, the process still ends by itself."""
    github.add_user("octocat").add_gist({"a.py": "import requests"})
    with serving(github) as service, service.connect(sent):
        assert service.search(BY_WORKER).status_code == 200
        service.process.terminate()
        assert service.ended() == 0
        assert "Killing" not in service.log


def test_sighup_is_ignored_without_a_terminal(github: FakeGithub) -> None:
    """The service and its searches continue."""
    github.add_user("octocat").add_gist({"a.py": "import requests"})
    with serving(github) as service:
        before = service.look()
        service.process.send_signal(signal.SIGHUP)
        until(lambda: "SIGHUP is ignored" in service.log)
        assert service.search("import").status_code == 200
        assert service.look() == before


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("127.0.0.1", False)])  # noqa: S104
def test_an_exposed_service_is_reported(github: FakeGithub, host: str, *, warned: bool) -> None:
    """One line of the log at the start says so, and /readyz?verbose."""
    with serving(github, host=host) as service:
        lines = [line for line in service.log.splitlines() if "without keys" in line]
        checks = requests.get(f"{service.url}/readyz?verbose", timeout=10).json()["checks"]
    assert len(lines) == warned
    assert checks["configuration"][0]["status"] == ("warn" if warned else "pass")


def test_many_threads_share_few_arenas() -> None:
    """An arena for each of a hundred threads would keep what that thread once needed."""
    program = """
import ctypes, threading
from gistapi.cli import server

server._bound_malloc()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.fdopen.restype, libc.fdopen.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_char_p]
libc.malloc_info.argtypes, libc.fflush.argtypes = [ctypes.c_int, ctypes.c_void_p], [ctypes.c_void_p]
meeting = threading.Barrier(32)

def allocate():
    meeting.wait()
    libc.malloc(4096)
    meeting.wait()

threads = [threading.Thread(target=allocate) for _ in range(meeting.parties)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
output = libc.fdopen(1, b"w")
libc.malloc_info(0, output)
libc.fflush(output)
"""
    done = run(sys.executable, "-c", program, environ=environment())
    assert 1 <= done.stdout.count("<heap nr=") <= server.ARENAS + 1, done.stderr  # and the main one


def test_too_few_file_descriptors_stop_the_start() -> None:
    """A line says how many are needed; with 24 every search would be a 500."""
    command = ("sh", "-c", 'ulimit -n 24 && exec "$0" -m gistapi serve', sys.executable)
    done = run(*command, environ=environment(port=free_port()))
    assert done.returncode == 2
    assert "ulimit -n" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_reported_in_a_line(github: FakeGithub) -> None:
    """The second service on a port says why it does not start, and the first continues."""
    with serving(github) as service:
        second = run(*SERVE, environ=environment(port=service.port))
        assert second.returncode == 2
        assert second.stderr == (
            f"Error: can't listen at 127.0.0.1 port {service.port}: Address already in use\n"
        )
        assert requests.get(f"{service.url}/ping", timeout=SECONDS).text == "pong"


@pytest.mark.parametrize("host", ["203.0.113.1", "host.invalid"])
def test_an_unusable_address_is_reported_in_a_line(host: str) -> None:
    """This covers addresses of no interface, and names that cannot be resolved."""
    done = run(*SERVE, environ=environment(host=host, port=free_port()))
    assert done.returncode == 2
    assert re.fullmatch(rf"Error: can't listen at {re.escape(host)} port \d+: .+\n", done.stderr)


def test_the_command_line_overrides_the_settings() -> None:
    """`--host` is read like GISTAPI_HOST, and decides which Host headers are accepted."""
    port = str(free_port())
    done = run(*SERVE, "--host", "a b", "--port", port, environ=environment())
    assert (done.returncode, done.stdout) == (2, "")
    assert "GISTAPI_HOST: should be a host name or an IP address" in done.stderr
    with serving(command=(*SERVE, "--host", "0.0.0.0")) as service:  # noqa: S104 - a test's own
        answer = requests.get(
            f"{service.url}/ping", headers={"Host": "gists.example.com"}, timeout=SECONDS
        )
        assert (answer.status_code, answer.text) == (200, "pong")
