"""Tokens and keys: where they are found, and where they are sent."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gistapi.cli import main
from gistapi.cli.tokens import Token, find_token
from gistapi.errors import SettingsError
from tests.cli.stub_service import begin, end, stub
from tests.fake_github import FakeGithub
from tests.serving import environment, run

API = "https://api.github.com"
VARIABLES = ("GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")


@pytest.fixture(autouse=True)
def gh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a `gh` that is logged in to two hosts, in an environment without tokens."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    program = tmp_path / "gh"
    program.write_text(
        '#!/bin/sh\n[ "$1 $2 $3" = "auth token --hostname" ] || exit 1\n'
        "case $4 in github.com) echo of-gh;; ghe.example) echo of-ghe;; *) exit 1;; esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return program


@pytest.mark.parametrize(
    ("variables", "api_url", "expected"),
    [
        ({"GH_TOKEN": "a", "GITHUB_TOKEN": "b"}, API, Token("a", "GH_TOKEN")),
        ({"GH_TOKEN": " ", "GITHUB_TOKEN": "b"}, API, Token("b", "GITHUB_TOKEN")),
        ({"GH_ENTERPRISE_TOKEN": "c"}, API, Token("of-gh", "gh auth token")),
        ({"GH_TOKEN": "a"}, "http://127.0.0.1:1", Token("a", "GH_TOKEN")),
        ({"GH_TOKEN": "a"}, "https://ghe.example/api/v3", Token("of-ghe", "gh auth token")),
        (
            {"GH_TOKEN": "a", "GH_ENTERPRISE_TOKEN": "c"},
            "https://ghe.example/api/v3",
            Token("c", "GH_ENTERPRISE_TOKEN"),
        ),
        ({"GH_TOKEN": "a"}, "https://elsewhere.example", None),
    ],
)
def test_a_token_is_found_where_other_tools_have_it(
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    api_url: str,
    expected: Token | None,
) -> None:
    """The sources have the contract's order; github.com's token is for github.com alone."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert find_token(api_url) == expected


def test_without_gh_there_is_no_token(gh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same holds for a `gh` that fails or prints something else."""
    for text in ("#!/bin/sh\nexit 1\n", "#!/bin/sh\necho two words\n", "no program"):
        gh.write_text(text)
        assert find_token(API) is None
    monkeypatch.setenv("PATH", "/nonexistent")
    assert find_token(API) is None


def test_a_variable_that_holds_no_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither sent nor printed."""
    monkeypatch.setenv("GH_TOKEN", "cana\nry")
    with pytest.raises(SettingsError, match="GH_TOKEN: should be one word") as caught:
        find_token(API)
    assert "cana" not in str(caught.value)


def test_a_token_is_used_and_verbose_names_its_source(github: FakeGithub) -> None:
    """It is sent to the API; its value is never printed."""
    github.add_user("octocat").add_gist({"a.txt": "needle"})
    words = (sys.executable, "-m", "gistapi", "search", "--verbose", "octocat", "needle")
    environ = environment(github) | {"GH_TOKEN": "canary"}
    done = run(*words, environ=environ)
    assert done.returncode == 0
    assert done.stderr == "gistapi: GitHub token: GH_TOKEN\n"
    assert "canary" not in done.stdout
    assert github.requests_to("api")[0].headers["authorization"].endswith(" canary")
    done = run(*words, environ=environ | {"GISTAPI_GITHUB_TOKEN": "another"})
    assert done.stderr == "gistapi: GitHub token: GISTAPI_GITHUB_TOKEN\n"


def test_ones_own_gists_are_searched_with_ones_own_token(github: FakeGithub) -> None:
    """A local search finds secret and starred gists; without a token it says how to get one."""
    user, other = github.add_user("octocat"), github.add_user("other")
    secret = user.add_gist({"a.txt": "needle"}, public=False)
    starred = other.add_gist({"b.txt": "needle"})
    user.starred.append(starred)
    github.api.grant("canary", user)
    words = (sys.executable, "-m", "gistapi", "search", "-l", "--mine", "--starred", "needle")
    environ = environment(github) | {"GISTAPI_GITHUB_TOKEN": "canary"}
    done = run(*words, environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [secret.html_url, starred.html_url]
    environ = environment(github) | {"PATH": ""}
    done = run(*words, environ=environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert "set GH_TOKEN, or log in" in done.stderr


def test_a_service_gets_a_token_only_with_send_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--send-token` sends it as X-GitHub-Token."""
    monkeypatch.setenv("GH_TOKEN", "canary")
    with stub(lambda _: iter([begin(), end()])) as service:
        command = ["search", "--server", service.url, "--mine", "x"]
        assert CliRunner().invoke(main, command).exit_code == 1
        done = CliRunner().invoke(main, [*command, "--send-token", "--verbose"])
    assert "canary" not in str(service.headers[0])
    assert service.headers[1]["X-GitHub-Token"] == "canary"
    assert "GH_TOKEN is sent" in done.stderr


@pytest.mark.parametrize(
    "content",
    [
        b"gak_1",
        b"gak_1\r\n",
        b"\xef\xbb\xbfgak_1\n",
        "gak_1\r\n".encode("utf-16"),
        b"\xfe\xff" + "gak_1\n".encode("utf-16-be"),
    ],
)
def test_a_key_file_may_be_written_by_any_editor(tmp_path: Path, content: bytes) -> None:
    """It may be UTF-8 with a byte-order mark or UTF-16, with any line ends."""
    (tmp_path / "key").write_bytes(content)
    with stub(lambda _: iter([begin(), end()])) as service:
        words = ["search", "--server", service.url, "--key-file", str(tmp_path / "key"), "o", "x"]
        done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.stderr) == (1, "")
    assert service.headers[0]["Authorization"] == "Bearer gak_1"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "does not hold a key"), (b"two words", "does not hold"), (b"\xff", "does not hold")],
)
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """The exit code is 2, and nothing of the file is printed."""
    (tmp_path / "key").write_bytes(content)
    words = ["search", "--server", "http://127.0.0.1:1", "o", "x", "--key-file"]
    done = CliRunner().invoke(main, [*words, str(tmp_path / "key")])
    assert done.exit_code == 2
    assert message in done.stderr
    assert "two words" not in done.stderr
    done = CliRunner().invoke(main, [*words, str(tmp_path / "nowhere")])
    assert (done.exit_code, "cannot be read: No such file" in done.stderr) == (2, True)
