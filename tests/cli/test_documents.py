"""The manual page and the completion scripts are generated from the command."""

from __future__ import annotations

import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from gistapi.cli import main
from gistapi.cli.search import search
from tests.serving import environment, run


def test_the_manual_page_has_every_option() -> None:
    """Each has its help, and roff reports no error."""
    page = CliRunner().invoke(main, ["man"]).stdout
    options = {
        name
        for option in search.params
        if isinstance(option, click.Option) and not option.hidden
        for name in option.opts + option.secondary_opts
    }
    documented = set(re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", page.replace(r"\-", "-")))
    assert options <= documented
    for heading in ("NAME", "SYNOPSIS", "SEARCH", "EXIT STATUS", "ENVIRONMENT", "FILES"):
        assert f".SH {heading}\n" in page or f'.SH "{heading}"\n' in page
    assert all(ord(char) < 128 for char in page)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_asks_the_command(shell: str) -> None:
    """It is click's script for the shell."""
    script = CliRunner().invoke(main, ["completion", shell]).stdout
    assert f"_GISTAPI_COMPLETE={shell}_complete" in script


def test_bash_runs_its_script() -> None:
    """It completes subcommands, options and their values."""
    script = CliRunner().invoke(main, ["completion", "bash"]).stdout
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    for words, expected in (
        ("gistapi se", "plain,search\nplain,serve\n"),
        ("gistapi search --vim", "plain,--vimgrep\n"),
        ("gistapi search --sort u", "plain,updated\n"),
    ):
        environ = environment() | {
            "_GISTAPI_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        done = run(sys.executable, "-m", "gistapi", environ=environ)
        assert (done.stdout, done.returncode) == (expected, 0)
