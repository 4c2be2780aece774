"""The documented commands print what the documentation shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fake_github import FakeGithub
from tests.fake_github.demo import populate
from tests.serving import ROOT, SECONDS, environment, serving

PAGES = ("README.md", "docs/api.md", "docs/cli.md")


def sessions(text: str) -> list[tuple[str, str]]:
    """The commands of the `console` blocks, with the output shown."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines(keepends=True)
            size = next(i for i, line in enumerate(lines, 1) if not line.endswith("\\\n"))
            found.append(("".join(lines[:size]), "".join(lines[size:])))
    return found


SESSIONS = [found for page in PAGES for found in sessions((ROOT / page).read_text("utf-8"))]


def comparable(output: str) -> list[Any]:
    """The lines in a fixed order, parsed if they are JSON, without elapsed times."""
    lines: list[Any] = []
    for line in output.splitlines():
        loaded = json.loads(line) if line.startswith("{") else line
        if isinstance(loaded, dict) and loaded.get("type") == "end":
            del loaded["data"]["elapsed_seconds"]
        lines.append(loaded)
    return sorted(lines, key=str)


@pytest.fixture(scope="module")
def shell() -> Iterator[dict[str, str]]:
    """Yield a shell's environment, and run a service of the demo's GitHub at another port."""
    with FakeGithub() as github, serving(github) as service:
        populate(github.world)
        bin_folder = str(Path(sys.executable).parent)
        path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
        yield environment(github) | {"PATH": path, "PORT_OF_THE_TEST": str(service.port)}


@pytest.mark.parametrize(("command", "output"), SESSIONS)
def test_an_example_prints_what_it_shows(shell: dict[str, str], command: str, output: str) -> None:
    """With the demo's GitHub, each command prints the lines below it."""
    words = command.replace("127.0.0.1:9876", f"127.0.0.1:{shell['PORT_OF_THE_TEST']}")
    environ = {name: value for name, value in shell.items() if name != "PORT_OF_THE_TEST"}
    done = subprocess.run(
        ["sh", "-c", words],
        env=environ,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert comparable(done.stdout) == comparable(output)
    assert output


def test_there_are_examples_of_each_kind() -> None:
    """The README shows the command and curl, the reference a stream."""
    shown = [command for command, _ in sessions((ROOT / PAGES[0]).read_text("utf-8"))]
    assert {command.split()[0] for command in shown} == {"gistapi", "curl"}
    assert any("application/x-ndjson" in command for command, _ in SESSIONS)
