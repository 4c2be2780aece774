"""The `gistapi` command."""

from __future__ import annotations

import sys
from importlib.metadata import version

import pytest
from click.testing import CliRunner

from gistapi.cli import main
from gistapi.cli.commands import exit_code
from gistapi.cli.process import CLOSED
from tests.fake_github import FakeGithub
from tests.serving import environment, run


def test_version_names_the_installed_version() -> None:
    """`--version` prints the package's version."""
    done = CliRunner().invoke(main, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"gistapi, version {version('gistgrep')}\n")


def test_config_prints_the_settings_and_hides_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each line is a variable as it could be set."""
    monkeypatch.setenv("GISTAPI_PORT", "1234")
    monkeypatch.setenv("GISTAPI_GITHUB_TOKEN", "canary")
    done = CliRunner().invoke(main, ["config"])
    assert done.exit_code == 0
    assert "GISTAPI_PORT=1234\n" in done.stdout
    assert "GISTAPI_GITHUB_TOKEN=**********\n" in done.stdout
    assert "canary" not in done.output


def test_config_reports_faults_on_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is 2, and each fault has a line."""
    monkeypatch.setenv("GISTAPI_PORT", "http")
    monkeypatch.setenv("GISTAPI_NO_SUCH", "1")
    done = CliRunner().invoke(main, ["config"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: the settings are not valid\nGISTAPI_NO_SUCH: ")
    assert "\nGISTAPI_PORT: " in done.stderr


def test_printing_the_settings_loads_no_server() -> None:
    """Commands that do not serve start quickly: they do not import Flask."""
    assert not loaded("config") & {"flask", "prometheus_client"}


def test_a_local_search_loads_no_web(github: FakeGithub) -> None:
    """It imports neither Flask nor metrics nor the client."""
    github.add_user("octocat").add_gist({"a.txt": "needle"})
    modules = loaded("search", "octocat", "needle", environ=environment(github))
    assert not modules & {"flask", "werkzeug", "prometheus_client", "gistapi.client.service"}


def test_help_loads_little() -> None:
    """`--help` imports click, but neither settings nor a search."""
    heavy = {"flask", "granian", "requests", "re2", "aiohttp", "pydantic", "asyncio", "redis"}
    for words in ("--help", "search --help", "completion bash", "serve --help"):
        assert not loaded(*words.split()) & heavy, words


def loaded(*words: str, environ: dict[str, str] | None = None) -> set[str]:
    """Return the modules that a command imports."""
    program = (
        "import sys; from gistapi.cli import main\n"
        f"try: main.main({list(words)})\n"
        "except SystemExit: print(*sys.modules)"
    )
    done = run(sys.executable, "-c", program, environ=environ or environment())
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(("given", "code"), [(1, CLOSED), (0, 0)])
def test_an_exit_code_of_click_is_translated(given: int, code: int) -> None:
    """Click exits with 1 for a closed pipe, which would mean no match; 0 after completion stays."""

    def end() -> None:
        raise SystemExit(given)

    assert exit_code(end, []) == code
