"""The command's output for people: progress, marks, messages and counts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gistapi.cli import main
from gistapi.cli.rows import rows
from gistapi.client.answers import FileMatches, LineMatch
from tests.cli.stub_service import begin, end, incomplete, match, searching, simple_match, stub
from tests.cli.terminals import shown
from tests.serving import environment, run

SEARCH = (sys.executable, "-m", "gistapi", "search")
TEXTS = {
    "aaa": {"a.txt": "one needle\ntwo needle needle\n"},
    "bbb": {"b.txt": "x" * 400 + "needle"},
}


@pytest.fixture
def server() -> Iterator[str]:
    """Yield the address of a service with a few texts."""
    with stub(searching(TEXTS)) as service:
        yield service.url


def search(server: str, *words: str) -> Result:
    """Run a search."""
    return CliRunner().invoke(main, ["search", "--server", server, *words])


def seen(
    server: str, *words: str, stdout: int | None = None, stderr: int | None = None, **environ: str
) -> str:
    """What a terminal receives; one stream may be redirected."""
    env = environment() | {"TERM": "xterm", "GISTAPI_SERVER": server} | environ
    return shown([*SEARCH, *words], env, stdout=stdout, stderr=stderr)


def lines(*between: Any) -> Any:
    """An answer with progress before and after these lines."""
    data = {"gists_done": 1, "gists_total": 4, "files_done": 1, "bytes_done": 1_500_000}
    progress = {"type": "progress", "data": data}
    return lambda _: iter([begin(), progress, *between, progress, end(1)])


BAR = "━━━━━━──────────────────"


def screen(text: str) -> list[str]:
    """The lines on the screen after all of the text is written."""
    left = [""]
    for char in text.replace("\r\n", "\n").replace("\r\x1b[2K", "\f"):
        if char == "\n":
            left.append("")
        elif char == "\f":
            left[-1] = ""
        else:
            left[-1] += char
    return left


def test_progress_does_not_mix_with_results() -> None:
    """Results and messages are on lines of their own, and the bar is removed at the end."""
    missing = incomplete("file_unavailable", "https://gist.github.com/b")
    with stub(lines(simple_match("a"), missing)) as service:
        text = seen(service.url, "--color=never", "octocat", "needle")
    assert f"{BAR} 1 of 4 gists, 1 files, 1.5 MB" in text
    assert screen(text) == [
        "https://gist.github.com/a",
        "a.txt:1:needle",
        "gistapi: https://gist.github.com/b: why [file_unavailable]",
        (
            "gistapi: 1 gist matches. Searched 1 gist, 1 file, 0.0 MB in 0.1 s."
            " 1 could not be searched."
        ),
        "",
    ]


def test_progress_is_shown_when_results_are_redirected(tmp_path: Path) -> None:
    """It is written to standard error."""
    with stub(lines(simple_match("a"))) as service, (tmp_path / "out").open("wb") as out:
        text = seen(service.url, "octocat", "needle", stdout=out.fileno())
    assert BAR in text
    assert (tmp_path / "out").read_text() == "https://gist.github.com/a\na.txt:1:needle\n"


@pytest.mark.parametrize("environ", [{}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}])
def test_progress_is_never_written_to_a_pipe(environ: dict[str, str]) -> None:
    """Nor are colours, whatever the environment requests."""
    with stub(lines(simple_match("a"))) as service:
        env = environment() | {"GISTAPI_SERVER": service.url} | environ
        done = run(*SEARCH, "octocat", "needle", environ=env)
    assert (done.stdout, done.stderr) == ("https://gist.github.com/a\na.txt:1:needle\n", "")


def test_progress_depends_on_the_terminal() -> None:
    """There is no bar on a dumb terminal, and an ASCII one without Unicode."""
    with stub(lines(simple_match("a"))) as service:
        assert "━" not in seen(service.url, "octocat", "needle", TERM="dumb")
        text = seen(service.url, "octocat", "needle", PYTHONIOENCODING="ascii")
    assert "######------------------ 1 of 4" in text


def test_no_color_and_dumb_terminals_disable_colours(server: str) -> None:
    """https://no-color.org; --color=always overrides both."""
    assert "\x1b[31m" in seen(server, "octocat", "needle")
    assert "\x1b[31m" not in seen(server, "octocat", "needle", TERM="dumb")
    env = {"GISTAPI_SERVER": server, "NO_COLOR": "1"}
    assert (
        "\x1b[31m"
        in CliRunner().invoke(main, ["search", "--color=always", "o", "needle"], env=env).stdout
    )


@pytest.mark.parametrize("start", [0, 100, 290, 299])
def test_matches_are_marked_by_the_services_offsets(start: int) -> None:
    """This also holds near the end of a long line; nothing is searched again."""
    text = "." * start + "needle"[: 300 - start] + "." * max(0, 294 - start)
    entry = {
        "line": 1,
        "column": 5000 + start,
        "end_line": 1,
        "end_column": 5006 + start,
        "text": text,
        "start": start,
        "end": min(start + 6, 300),
        "cut": True,
        "url": "https://x",
    }
    file = {"file": "a", "language": None, "size_bytes": 9999, "more": False, "matches": [entry]}
    with stub(lambda _: iter([begin(), match("a", [file]), end(1)])) as service:
        done = search(service.url, "--color=always", "octocat", "another pattern")
    marked = "needle"[: 300 - start]
    assert f"\x1b[0m\x1b[1m\x1b[31m{marked}\x1b[0m" in done.stdout
    assert done.stdout.endswith(" [... omitted rest of long line]\n")


def test_a_match_over_several_lines_is_marked_in_each() -> None:
    """With -U the whole match is marked."""
    with stub(searching({"a": {"a.txt": "one\ntwo\nthree\n"}})) as service:
        done = search(service.url, "--color=always", "-N", "-U", "octocat", r"ne\ntwo\nth")
    plain = done.stdout.replace("\x1b[0m", "").replace("\x1b[35m", "")
    assert plain.splitlines()[1:] == [
        "a.txt:o\x1b[1m\x1b[31mne",
        "a.txt:\x1b[1m\x1b[31mtwo",
        "a.txt:\x1b[1m\x1b[31mthree",
    ]


def test_matches_in_names_and_descriptions_are_labelled() -> None:
    """The label takes the place of the file's name."""
    found = simple_match("a", description="needles")
    entries = found["data"]["files"][0]["matches"]
    common = {"language": None, "size_bytes": None, "more": None, "matches": entries}
    found["data"]["files"] = [
        {"file": None, "in": "description", **common},
        {"file": "needle.py", "in": "name", **common},
    ]
    with stub(lambda _: iter([begin(), found, end(1)])) as service:
        done = search(service.url, "--names", "octocat", "needle")
    assert done.stdout.splitlines()[1:] == ["(description):1:needle", "(name):1:needle"]


def test_matches_can_be_sorted() -> None:
    """--sort lists the oldest first, as in ripgrep, and --reverse the newest."""
    dates = {"b": ("2020", "2024"), "a": ("2021", "2023"), "c": ("2022", "2022")}
    found = [
        simple_match(
            name, created_at=f"{made}-01-01T00:00:00Z", updated_at=f"{new}-01-01T00:00:00Z"
        )
        for name, (made, new) in dates.items()
    ]
    with stub(lambda _: iter([begin(), *found, end(3)])) as service:
        for order, expected in (
            ("none", "bac"),
            ("created", "bac"),
            ("updated", "cab"),
            ("path", "abc"),
        ):
            done = search(service.url, "-l", "--sort", order, "octocat", "x")
            assert "".join(line[-1] for line in done.stdout.splitlines()) == expected
        done = search(service.url, "-l", "--sort", "path", "--reverse", "octocat", "x")
    assert "".join(line[-1] for line in done.stdout.splitlines()) == "cba"


def test_stats_are_ripgreps_with_our_own(server: str) -> None:
    """They follow the results on standard output."""
    done = search(server, "-q", "--stats", "octocat", "nothing")
    assert "0 matches\n0 matched lines\n" in done.stdout
    done = search(server, "-N", "--stats", "octocat", "needle")
    assert done.stdout.split("\n\n")[-1] == (
        "4 matches\n3 matched lines\n2 files contained matches\n2 gists contained matches\n"
        "2 gists searched\n2 files searched\n10 bytes searched\n0.100 seconds spent searching\n"
    )


def test_a_file_with_too_many_matches_is_incomplete() -> None:
    """This is reported with exit code 2, unless -m requested fewer."""
    with stub(searching({"a": {"a.txt": "x\n" * 1001}})) as service:
        done = search(service.url, "octocat", "x")
        assert (done.exit_code, done.stdout.count("\n")) == (2, 1001)
        assert done.stderr == (
            "gistapi: https://gist.github.com/a/a.txt: only the first 1,000 matches are shown\n"
        )
        assert search(service.url, "-m", "5", "octocat", "x").exit_code == 0


def test_inversion_prints_the_gists_that_do_not_match() -> None:
    """A gist that could not be searched is in neither set."""

    def answer(asked: dict[str, Any]) -> Iterator[Any]:
        everything = asked["pattern"] == "(?:)"
        names = ["a", "b", "c"] if everything else ["b"]
        yield begin()
        yield from (simple_match(name, description=f"about {name}") for name in names)
        if not everything:
            yield incomplete("file_unavailable", "https://gist.github.com/c")
        yield end(len(names))

    with stub(answer) as service:
        done = search(service.url, "-v", "octocat", "needle")
        assert done.stdout == "https://gist.github.com/a  about a\n"
        assert (done.exit_code, done.stderr.count("file_unavailable")) == (2, 1)
        assert (
            search(service.url, "-v", "-l", "octocat", "x").stdout == "https://gist.github.com/a\n"
        )
        assert search(service.url, "-v", "-c", "octocat", "x").stdout == "1\n"


def test_a_failing_target_is_reported() -> None:
    """The other targets are searched; the exit code is 2."""
    data = {
        "username": "nobody",
        "status": "error",
        "code": "user_not_found",
        "message": "Unknown.",
    }
    target = {"type": "target", "data": {**data, "gists": 0, "matches": 0}}
    with stub(lambda _: iter([begin(), simple_match("a"), target, end(1)])) as service:
        done = search(service.url, "octocat", "nobody", "x")
    assert (done.exit_code, done.stderr) == (2, "gistapi: nobody: Unknown. [user_not_found]\n")


def test_matches_of_one_long_line_are_marked_in_the_text_shown() -> None:
    """It is cut around each of them; the first match's text is printed."""

    def found(column: int, text: str) -> LineMatch:
        at = text.index("hit")
        return LineMatch(1, column, 1, column + 3, text, at, at + 3, True, (), (), None)  # noqa: FBT003

    matches = (found(301, "a" * 100 + "hit" + "b" * 197), found(311, "a" * 90 + "hit" + "b" * 207))
    file = FileMatches("a", None, None, more=False, matches=matches)
    (row,) = rows(file, before=0, after=0, max_lines=None)
    assert row.spans == [(100, 103), (110, 113)]
