"""A hostile service cannot write to the terminal, nor hold the command up."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gistapi.cli import main
from tests.cli.stub_service import (
    Answer,
    begin,
    compiled,
    end,
    file_entry,
    incomplete,
    match,
    simple_match,
    stub,
)

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b1m\r\n\b\u202etxt\u2066\u200b\ufeff\u2028\ud800\x00"


def run(answer: Answer, *words: str, status: int = 200, reason: str | None = None) -> Result:
    """What the command prints."""
    with stub(answer, status=status, reason=reason) as service:
        where = ("--server", service.url)
        return CliRunner().invoke(main, ["search", *where, *words, "octocat", "needle"])


def saying(*answer: Any) -> Answer:
    """Give an answer of these lines."""
    return lambda _: iter(answer)


def unsafe(text: str) -> list[str]:
    """What is left in `text` that a terminal obeys or hides."""
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return [char for char in text if unicodedata.category(char) in kinds and char not in "\n\t"]


def evil_match() -> dict[str, Any]:
    """A match with evil everywhere."""
    entry = file_entry(compiled({"pattern": "needle"}), f"{EVIL}.txt", f"{EVIL}needle{EVIL}", {})
    return match(f"a{EVIL}", [entry], description=EVIL, owner=EVIL)


def lines() -> Iterator[Any]:
    """A whole answer of it."""
    yield begin()
    yield evil_match()
    yield incomplete("file_unavailable" + EVIL, f"https://x{EVIL}", EVIL)
    data = {"username": EVIL, "status": "error", "code": EVIL, "message": EVIL}
    yield {"type": "target", "data": {**data, "gists": 0, "matches": 0}}
    yield end(1)


@pytest.mark.parametrize(
    "words",
    [(), ("-l",), ("-o",), ("--vimgrep",), ("--count-matches",), ("--json",), ("--no-heading",)],
)
def test_what_it_sends_is_shown_as_escapes(words: tuple[str, ...]) -> None:
    """Names, descriptions, lines, reasons and messages; exit code 2, as something is missing."""
    done = run(lambda _: lines(), *words)
    assert (done.exit_code, unsafe(done.stdout + done.stderr)) == (2, [])
    if "--json" not in words:
        assert "\\x1b]0;owned\\x07" in done.stdout
    assert "\\u202e" in done.stderr


def test_colours_are_the_only_escape_sequences() -> None:
    """What is marked is made harmless first."""
    done = run(lambda _: lines(), "--color", "always", "--hyperlink")
    stripped = done.stdout
    for sequence in ("[0m", "[1m", "[31m", "[32m", "[35m", "]8;;", "\\"):
        stripped = stripped.replace(f"\x1b{sequence}", "")
    assert unsafe(stripped) == []


@pytest.mark.parametrize(
    "refusal",
    [
        {"code": "x", "message": EVIL},
        {"code": EVIL, "message": "x", "errors": [{"message": EVIL, "position": 3}]},
        {"code": "x", "message": "x", "errors": [{"message": EVIL, "position": 10**9}]},
        EVIL.encode("utf-8", "surrogatepass"),
    ],
)
def test_refusals_are_shown_as_escapes(refusal: Any) -> None:
    """The message, the errors', and what is not in the contract's shape."""
    done = run(lambda _: iter([refusal]), status=400)
    assert (done.exit_code, done.stdout, unsafe(done.stderr)) == (2, "", [])


def test_a_reason_phrase_is_shown_as_escapes() -> None:
    """It comes before any body."""
    done = run(lambda _: iter([b"x"]), status=418, reason="I am\x1b[2J a teapot\x9b")
    assert done.exit_code == 2
    assert "answered 418 I am\\x1b[2J a teapot" in done.stderr
    assert unsafe(done.stderr) == []


def test_a_link_leads_to_the_web_or_nowhere() -> None:
    """No other scheme, and no way out of the escape sequence."""
    for url, linked in (("javascript:alert(1)", False), ("https://x/\x1b\\\x07", True)):
        evil = simple_match("a")
        evil["data"]["gist"] = url
        evil["data"]["files"][0]["matches"][0]["url"] = url
        answer = [begin(), evil, end(1)]
        done = run(saying(*answer), "--color=always", "--hyperlink")
        assert ("\x1b]8;;" in done.stdout) is linked
        assert "\x07" not in done.stdout


def test_nothing_but_the_web_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--open` hands no other address to the system."""
    opened: list[str] = []

    def opening(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr("webbrowser.open", opening)
    for url in ("file:///etc/passwd", "https://gist.github.com/a#file-a-L1"):
        found = simple_match("a")
        found["data"]["files"][0]["matches"][0]["url"] = url
        done = run(saying(begin(), found, end(1)), "--open")
        assert done.exit_code == 0
    assert opened == ["https://gist.github.com/a#file-a-L1"]
