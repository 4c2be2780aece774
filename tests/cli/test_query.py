"""The request that arguments and options stand for."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gistapi.cli import main
from tests.cli.stub_service import StubService, end, stub

GIST = "8a1f0d6b3c7e49258f60a4d2b9c3e715"


def asked(*words: str, stdin: str = "") -> tuple[dict[str, object], Result]:
    """Run a search; returns the request that it sends, and its result."""
    with stub(lambda _: iter([end()])) as service:
        done = CliRunner().invoke(main, ["search", "--server", service.url, *words], input=stdin)
    return (service.asked or [{}])[0], done


@pytest.mark.parametrize(
    ("words", "stdin", "expected"),
    [
        (("octocat",), "", {"username": "octocat"}),
        (("@octocat",), "", {"username": "octocat"}),
        (("https://github.com/octocat",), "", {"username": "octocat"}),
        (("https://github.com/octocat/?tab=repositories",), "", {"username": "octocat"}),
        (("https://gist.github.com/octocat",), "", {"username": "octocat"}),
        (("github.com/octocat",), "", {"username": "octocat"}),
        (("12345678",), "", {"username": "12345678"}),
        (("a", "@b"), "", {"usernames": ["a", "b"]}),
        (("-",), "a\n\n# no\n@b\r\n", {"usernames": ["a", "b"]}),
        (("a", "-"), "b", {"usernames": ["a", "b"]}),
        ((f"https://gist.github.com/octocat/{GIST}",), "", {"gists": [GIST]}),
        ((f"https://gist.github.com/{GIST}",), "", {"gists": [GIST]}),
        (("--gist", GIST), "", {"gists": [GIST]}),
        (("--gist", f"https://gist.github.com/{GIST}.git"), "", {"gists": [GIST]}),
        (("--gist", "-"), f"{GIST}\n1234567\n", {"gists": [GIST, "1234567"]}),
        (("--org", "github"), "", {"organization": "github"}),
        (("--org", "https://github.com/github"), "", {"organization": "github"}),
        (("--mine", "--starred"), "", {"mine": True, "starred": True}),
        (("a", "--mine"), "", {"username": "a", "mine": True}),
    ],
)
def test_where_to_search(words: tuple[str, ...], stdin: str, expected: dict[str, object]) -> None:
    """Logins, `@login`, addresses and standard input give users and gists."""
    fields, _ = asked(*words, "x", stdin=stdin)
    names = {"username", "usernames", "gists", "organization", "mine", "starred"}
    assert {name: value for name, value in fields.items() if name in names} == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("x",), {"pattern": "x", "multiline": True, "max_count": 1000}),
        (("-l", "x"), {"pattern": "x", "multiline": True}),
        (("-q", "x"), {"pattern": "x", "multiline": True}),
        (("-l", "x*"), {"pattern": "x*", "multiline": True, "max_count": 1000, "context": 1}),
        (("-C2", "-A3", "x"), {"pattern": "x", "multiline": True, "max_count": 1000, "context": 3}),
        (("-l", "--no-multiline", "x*"), {"pattern": "x*"}),
        (("-l", "-i", "x"), {"pattern": "x", "multiline": True, "ignore_case": True}),
        (("-l", "-i", "-s", "x"), {"pattern": "x", "multiline": True}),
        (("-l", "-S", "x"), {"pattern": "x", "multiline": True, "ignore_case": True}),
        (("-l", "-S", r"\Sx"), {"pattern": r"\Sx", "multiline": True, "ignore_case": True}),
        (("-l", "-S", "X"), {"pattern": "X", "multiline": True}),
        (("-l", "-S", "[A-Z]x"), {"pattern": "[A-Z]x", "multiline": True}),
        (("-l", "-S", "-i", "X"), {"pattern": "X", "multiline": True, "ignore_case": True}),
        (("-l", "-F", "a.b"), {"pattern": "a.b", "multiline": True, "fixed_string": True}),
        (("-l", "-F", "-e", "a.", "-e", "b"), {"pattern": r"a\.|b", "multiline": True}),
        (("-l", "-w", "x"), {"pattern": "x", "multiline": True, "word": True}),
        (("-l", "-e", "a", "-e", "b|c"), {"pattern": "(?:a)|(?:b|c)", "multiline": True}),
        (("-l", "-e", "(?i)a", "-e", "b"), {"pattern": "(?i:a)|(?:b)", "multiline": True}),
        (
            ("-l", "-e", "(?x)a # b", "-e", "c"),
            {"pattern": "(?x:a # b\n)|(?:c)", "multiline": True},
        ),
        (("-l", "-U", r"a\s"), {"pattern": r"a\s", "multiline": True}),
        (("-l", r"a\s"), {"pattern": r"a[^\S\n]", "multiline": True}),
        (("-l", "--dotall", "a.b"), {"pattern": "a.b", "multiline": True, "dotall": True}),
        (("-l", "--names", "x"), {"pattern": "x", "multiline": True, "names": True}),
        (("-l", "--limit", "3", "x"), {"pattern": "x", "multiline": True, "limit": 3}),
        (("-l", "-g", "*.py", "x"), {"pattern": "x", "multiline": True, "files": ["*.py"]}),
        (("-l", "-t", "python", "x"), {"pattern": "x", "multiline": True, "languages": ["python"]}),
    ],
)
def test_what_to_search_for(words: tuple[str, ...], expected: dict[str, object]) -> None:
    """Each option sets a field of the request; fields with their default are not sent."""
    users = ("-e", "octocat") if "-e" in words else ("octocat",)
    if "-e" in words:
        fields, _ = asked("octocat", *words)
    else:
        fields, _ = asked(*words[:-1], *users, words[-1])
    assert {name: value for name, value in fields.items() if name != "username"} == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("octocat", "-e", "(a)", "-e", r"(b)\1"), "a pattern with references to groups cannot"),
        (
            ("octocat", "-e", "a", "-e", "b("),
            "missing ), unterminated subpattern at position 1\n  b(",
        ),
        (("octocat", "-F", "a\nb"), "-U lets it span lines at position 1"),
        (("octocat", "[\\n]"), "-U lets it span lines at position 0"),
        (("octocat", "-f", "/nonexistent"), "No such file"),
        (("octo cat", "x"), "is not a GitHub login"),
        (("--org", "octo cat", "x"), "is not a GitHub login"),
        (("--gist", "octocat", "x"), "A gist is named by"),
        (("https://[x/", "x"), "is not an address"),
    ],
)
def test_invalid_arguments_are_refused(words: tuple[str, ...], message: str) -> None:
    """Nothing is sent, and the exit code is 2."""
    fields, done = asked(*words)
    assert (fields, done.exit_code) == ({}, 2)
    assert message in done.stderr


def test_the_caret_accounts_for_wide_characters() -> None:
    """Chinese characters are two columns wide, combining ones none."""
    _, done = asked("octocat", "煎茶e\u0301(x")
    assert done.stderr.endswith("\n  煎茶e\u0301(x\n       ^\n")


@pytest.mark.parametrize("content", [b"needle\xff\n", "needle\n".encode("utf-16")])
def test_a_file_of_patterns_in_another_encoding_is_refused(tmp_path: Path, content: bytes) -> None:
    """The message is plain, as for a key file."""
    file = tmp_path / "patterns"
    file.write_bytes(content)
    _, done = asked("-f", str(file), "octocat")
    assert done.exit_code == 2
    assert "A file of patterns is not UTF-8 text" in done.stderr


def configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, *words: str
) -> tuple[StubService, Result]:
    """Run a search with a configuration file, in which `{url}` is the service's address."""
    with stub(lambda _: iter([end()])) as service:
        file = tmp_path / "config.toml"
        file.write_text(text.replace("{url}", service.url), "utf-8")
        monkeypatch.setenv("GISTAPI_CONFIG_FILE", str(file))
        return service, CliRunner().invoke(main, ["search", *words])


def test_a_configuration_file_sets_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options on the command line override it, and --no-config ignores it."""
    text = 'server = "{url}"\nsmart-case = true\nglob = ["*.py"]\ncontext = 2\n'
    service, done = configured(tmp_path, monkeypatch, text, "-s", "-C", "1", "octocat", "x")
    assert (done.exit_code, done.stderr) == (1, "")
    assert service.asked[0] == {
        "username": "octocat",
        "pattern": "x",
        "multiline": True,
        "files": ["*.py"],
        "max_count": 1000,
        "context": 1,
    }
    monkeypatch.setenv("GISTAPI_SERVER", "http://127.0.0.1:1")
    assert "127.0.0.1:1 " in configured(tmp_path, monkeypatch, text, "octocat", "x")[1].stderr
    done = configured(tmp_path, monkeypatch, "nonsense", "--no-config", "octocat", "x")[1]
    assert "127.0.0.1:1 " in done.stderr


def test_a_user_without_a_home_needs_no_configuration_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a container there may be no home directory, and that is no error."""

    def homeless(_name: str) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.delenv("GISTAPI_CONFIG_FILE", raising=False)
    monkeypatch.setattr("platformdirs.user_config_path", homeless)
    assert asked("octocat", "x")[1].exit_code == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("serve = 1", "serve is not an option that can be set here. Did you mean server?"),
        ("server = ", "not TOML"),
        ('context = "many"', "'many' is not a valid integer"),
        ('color = "blue"', "'blue' is not one of"),
        ("key-file = 5", "key-file is not a string"),
        ('key-file = "~nobody-of-this-name/key"', "key-file: there is no home directory"),
        (f"context = {5000 * '9'}", "a number has too many digits"),
        (f"context = {5000 * '['}", "nested too deeply"),
    ],
)
def test_a_faulty_configuration_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    """The message names the file where the file is at fault; the exit code is 2."""
    _, done = configured(tmp_path, monkeypatch, text, "octocat", "x")
    assert done.exit_code == 2
    assert message in done.stderr
    monkeypatch.setenv("GISTAPI_CONFIG_FILE", str(tmp_path / "none.toml"))
    assert "there is no such file" in CliRunner().invoke(main, ["search", "a", "x"]).stderr
