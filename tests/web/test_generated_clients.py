"""Clients generated from openapi.json are complete and work."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.fake_github import FakeGithub
from tests.serving import SECONDS, Serving, environment, run, serving

PYTHON = """
import sys
from client import Client
from client.api.search import search
from client.models import SearchRequest
asked = SearchRequest(username="octocat", pattern="need.e", details=True)
answer = search.sync_detailed(client=Client(base_url=sys.argv[1]), body=asked)
print(int(answer.status_code), answer.parsed.matches[0], answer.parsed.details[0].files[0].file)
"""
TYPESCRIPT = """
import type { paths } from "./api";
type Operation = paths["/api/v1/search"]["post"];
type Body = Operation["requestBody"]["content"]["application/json"];
type Answer = Operation["responses"]["200"]["content"]["application/json"];
export const body: Body = { username: "octocat", pattern: "need.e", max_count: 3 };
export function first(answer: Answer): string | undefined { return answer.details?.[0]?.gist; }
"""
PACKAGES = ("openapi-typescript@7", "typescript@5")


@pytest.fixture(scope="module")
def service() -> Iterator[Serving]:
    """Yield a service of a GitHub with one gist."""
    with FakeGithub() as github:
        github.add_user("octocat").add_gist({"a.txt": "needle"})
        with serving(github, cache_url="off") as running:
            yield running


@pytest.fixture
def description(service: Serving, tmp_path: Path) -> Path:
    """Save the description that the service sends; returns its path."""
    path = tmp_path / "openapi.json"
    path.write_bytes(requests.get(f"{service.url}/openapi.json", timeout=SECONDS).content)
    return path


def test_a_python_client_searches(service: Serving, description: Path) -> None:
    """openapi-python-client warns only of the feed's content type, which it does not know."""
    folder = description.parent
    program = Path(sys.executable).with_name("openapi-python-client")
    environ = environment()
    environ["PATH"] = f"{program.parent}{os.pathsep}{environ['PATH']}"  # it runs ruff
    words = ("generate", "--path", "openapi.json", "--output-path", "client", "--meta", "none")
    done = run(str(program), *words, environ=environ, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).count("WARNING") == 1
    assert "application/atom+xml" in done.stdout + done.stderr
    used = run(sys.executable, "-c", PYTHON, service.url, environ=environ, cwd=folder)
    assert used.stderr == ""
    status, gist, file = used.stdout.split()
    assert (status, file) == ("200", "a.txt")
    assert gist.startswith("https://gist.github.com/")


@pytest.mark.skipif(
    os.environ.get("HYPOTHESIS_PROFILE") != "nightly" or shutil.which("npm") is None,
    reason="`make nightly` generates a TypeScript client, where npm is",
)
def test_a_typescript_client_compiles(description: Path) -> None:
    """openapi-typescript generates it; in strict mode, only the pattern is required."""
    folder = description.parent
    (folder / "use.ts").write_text(TYPESCRIPT)
    environ = environment()
    strict = ("--strict", "--noEmit", "--target", "es2022", "--moduleResolution", "bundler")
    for words in (
        ("npm", "install", "--silent", *PACKAGES),
        ("npx", "openapi-typescript", "openapi.json", "-o", "api.d.ts"),
        ("npx", "tsc", *strict, "--module", "esnext", "use.ts"),
    ):
        done = run(*words, environ=environ, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
