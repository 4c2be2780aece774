"""Runs the service as a process, and tracks all processes that it starts."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.fake_github import FakeGithub
from tests.waiting import HANG_SECONDS, until

ROOT = Path(__file__).parent.parent
SERVE = (sys.executable, "-m", "gistapi", "serve")
SECONDS = HANG_SECONDS
# Each worker of pytest-xdist has ports of its own: a service listens a second after it got one.
_PORTS = 1_500
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
_FIRST_PORT = 20_000 + _PORTS * (_WORKER % 8)


@dataclass
class Serving:
    """A running service: its process, its address, and every process that it was seen to have."""

    process: subprocess.Popen[bytes]
    port: int
    output: Path
    seen: set[int] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """The output so far, standard output and error."""
        return self.output.read_text("utf-8")

    def search(self, pattern: str, *, timeout: float = SECONDS, **body: Any) -> requests.Response:
        """Search octocat's gists."""
        asked = {"username": "octocat", "pattern": pattern} | body
        answer = requests.post(f"{self.url}/api/v1/search", json=asked, timeout=timeout)
        self.look()
        return answer

    def look(self) -> set[int]:
        """The processes that it has now: itself and its descendants."""
        parents = alive()
        family = {self.process.pid} & set(parents)
        while more := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= more
        self.seen |= family
        return family

    def connect(self, sent: bytes = b"") -> socket.socket:
        """A bare connection, with `sent` sent over it."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        connection.sendall(sent)
        return connection

    def ended(self) -> int:
        """Wait for the end of the process and of all its processes; returns its exit code."""
        code = self.process.wait(SECONDS)
        until(lambda: not self.seen & set(alive()))
        return code


def alive() -> dict[int, int]:
    """Every process, without zombies, and its parent."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z":
            found[int(stat.parent.name)] = int(fields[1])
    return found


def free_port() -> int:
    """A port that no process listens on, below those that the system assigns to clients."""
    while True:
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def environment(github: FakeGithub | None = None, **settings: object) -> dict[str, str]:
    """This process's environment with these settings and no others, for that GitHub."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GISTAPI_")}
    env["GISTAPI_CACHE_URL"] = "memory:"
    env["GISTAPI_KEYS_FILE"] = str(ROOT / "no-keys.json")
    if github is not None:
        env["GISTAPI_GITHUB_API_URL"] = github.api_url
        env["GISTAPI_GITHUB_CONTENT_HOSTS"] = github.raw_host
        # A busy machine can take longer than the ten seconds that are the default.
        env["GISTAPI_GITHUB_TIMEOUT_SECONDS"] = str(HANG_SECONDS)
    return env | {f"GISTAPI_{name.upper()}": str(value) for name, value in settings.items()}


@contextmanager
def serving(
    github: FakeGithub | None = None,
    command: Sequence[str] = SERVE,
    *,
    port: int | None = None,
    cwd: Path = ROOT,
    **settings: object,
) -> Iterator[Serving]:
    """A service that is ready; what is left of it at the end is killed."""
    port = port or free_port()
    with (
        # A pipe without a reader would fill, and stop the service.
        tempfile.NamedTemporaryFile() as output,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=environment(github, port=port, **settings),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        service = Serving(process, port, Path(output.name))
        try:
            _await(service)
            service.look()
            yield service
        finally:
            service.look()
            for left in service.seen & set(alive()):
                with suppress(ProcessLookupError):  # it has just ended
                    os.kill(left, signal.SIGKILL)


def _await(service: Serving) -> None:
    def ready() -> bool:
        try:
            service.connect().close()  # a twentieth of what requests takes for a refusal
            return requests.get(f"{service.url}/readyz", timeout=SECONDS).ok
        except OSError:
            assert service.process.poll() is None, f"the service ended at once:\n{service.log}"
            return False

    until(ready)


def run(
    *command: str, environ: Mapping[str, str], cwd: Path = ROOT, timeout: float = SECONDS
) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=timeout, check=False
    )
