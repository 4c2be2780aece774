"""A hostile service cannot control the terminal through the command."""

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
    """Run the command against this answer."""
    with stub(answer, status=status, reason=reason) as service:
        where = ("--server", service.url)
        return CliRunner().invoke(main, ["search", *where, *words, "octocat", "needle"])


def saying(*answer: Any) -> Answer:
    """Return an answer of these lines."""
    return lambda _: iter(answer)


def unsafe(text: str) -> list[str]:
    """The characters of `text` that control a terminal or are invisible."""
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return [char for char in text if unicodedata.category(char) in kinds and char not in "\n\t"]


def evil_match() -> dict[str, Any]:
    """A match with control characters in every field."""
    entry = file_entry(compiled({"pattern": "needle"}), f"{EVIL}.txt", f"{EVIL}needle{EVIL}", {})
    return match(f"a{EVIL}", [entry], description=EVIL, owner=EVIL)


def lines() -> Iterator[Any]:
    """A whole answer with control characters."""
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
def test_control_characters_are_printed_as_escapes(words: tuple[str, ...]) -> None:
    """This covers names, descriptions, lines, reasons and messages."""
    done = run(lambda _: lines(), *words)
    assert (done.exit_code, unsafe(done.stdout + done.stderr)) == (2, [])
    if "--json" not in words:
        assert "\\x1b]0;owned\\x07" in done.stdout
    assert "\\u202e" in done.stderr


def test_only_colours_and_links_are_escape_sequences() -> None:
    """Text is escaped before it is marked."""
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
def test_errors_are_printed_with_escapes(refusal: Any) -> None:
    """This covers the message, the list of errors, and answers of another shape."""
    done = run(lambda _: iter([refusal]), status=400)
    assert (done.exit_code, done.stdout, unsafe(done.stderr)) == (2, "", [])


def test_a_reason_phrase_is_printed_with_escapes() -> None:
    """It is part of the message when there is no body."""
    done = run(lambda _: iter([b"x"]), status=418, reason="I am\x1b[2J a teapot\x9b")
    assert done.exit_code == 2
    assert "answered 418 I am\\x1b[2J a teapot" in done.stderr
    assert unsafe(done.stderr) == []


def test_only_web_addresses_become_links() -> None:
    """Other schemes are not linked, and an address cannot end its escape sequence."""
    for url, linked in (("javascript:alert(1)", False), ("https://x/\x1b\\\x07", True)):
        evil = simple_match("a")
        evil["data"]["gist"] = url
        evil["data"]["files"][0]["matches"][0]["url"] = url
        answer = [begin(), evil, end(1)]
        done = run(saying(*answer), "--color=always", "--hyperlink")
        assert ("\x1b]8;;" in done.stdout) is linked
        assert "\x07" not in done.stdout


def test_open_accepts_web_addresses_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--open` passes no other address to the system."""
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
