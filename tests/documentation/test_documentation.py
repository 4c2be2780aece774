"""The documentation and the code agree on names, commands and links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import pytest

from gistapi.cli import configuration, main
from gistapi.search.report import REASONS
from gistapi.settings import FROM_FILE, SECRETS, Settings, variable
from gistapi.web import create_web
from tests.serving import ROOT
from tests.web.searches import Searches

README = (ROOT / "README.md").read_text("utf-8")
API = (ROOT / "docs/api.md").read_text("utf-8")
CLI = (ROOT / "docs/cli.md").read_text("utf-8")
PAGES = {
    path: path.read_text("utf-8")
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
    if path.name != "CHANGELOG.md"
}
EVERYTHING = "\n".join(PAGES.values())
OTHER_VARIABLES = {configuration.VARIABLE, "GISTAPI_TEST_BROWSER"}
MAX_README_WORDS = 900
RAW_HOST = re.compile(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[^/]+/(?P<path>.+)")


def rows(page: str, heading: str) -> list[list[str]]:
    """The rows of the table with this heading, as cells."""
    _, _, rest = page.partition(f"\n| {heading} |")
    assert rest, heading
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines
        if line.startswith("|")
    ]


def words(cells: Iterable[str]) -> list[str]:
    """The words in backticks."""
    return [word for cell in cells for word in re.findall(r"`([^`]+)`", cell)]


def code_of(text: str) -> Iterator[str]:
    """Yield the code of a page: blocks, and words in backticks."""
    yield from re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", text)


def commands() -> dict[str, click.Command]:
    """The subcommands of `gistapi`."""
    context = click.Context(main)
    found = {name: main.get_command(context, name) for name in main.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def test_the_readme_is_short() -> None:
    """It has at most 900 words outside its code."""
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    assert len(prose.split()) <= MAX_README_WORDS


def test_every_variable_that_is_named_is_read() -> None:
    """Each is a setting, a setting's file, or a variable of the command's or the tests' own."""
    settings = {variable(field) for field in Settings.model_fields}
    settings |= {variable(field) + FROM_FILE for field in SECRETS}
    options = {o.envvar for o in commands()["search"].params if isinstance(o.envvar, str)}
    named = set(re.findall(r"\bGISTAPI_[A-Z0-9_]*[A-Z0-9]", EVERYTHING))
    assert named - settings - OTHER_VARIABLES <= options


def test_the_table_of_routes_is_complete() -> None:
    """Methods and paths are the application's, apart from the pages' files."""
    rules = [rule for rule in create_web(Searches()).url_map.iter_rules() if "<" not in rule.rule]
    routes = {
        f"{method} {rule.rule}"
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    pages = "\n".join(text for path, text in PAGES.items() if path.parent.name != "decisions")
    named = re.findall(r"`((?:GET|POST|PUT|DELETE|QUERY) /[^ `?]*)(?:\?\w+)?`", pages)
    assert set(named) == routes


def test_the_table_of_reasons_is_complete() -> None:
    """It has each reason of an incomplete answer, and no other."""
    assert words(row[0] for row in rows(API, "reason | meaning")) == list(REASONS)


def test_the_tables_of_options_are_complete() -> None:
    """docs/cli.md has each option of `gistapi search`, and no other."""
    search = [option for option in commands()["search"].params if isinstance(option, click.Option)]
    named = set(words(line for line in CLI.splitlines() if line.startswith("| `-")))
    named = {word.partition(" ")[0] for word in named if word.startswith("-") and word != "-"}
    options = {name for option in search for name in (*option.opts, *option.secondary_opts)}
    assert named <= options
    shown = [option for option in search if not option.hidden and option.name != "help"]
    assert [option.opts for option in shown if not named & set(option.opts)] == []


def test_every_command_shown_exists() -> None:
    """Commands are subcommands of `gistapi`, or targets of make."""
    code = "\n".join(code_of(EVERYTHING))
    shown = set(re.findall(r"(?<!--app )(?<!exec )\bgistapi ([a-z]+)\b", code))
    assert shown == set(commands())
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    made = re.findall(r"^(?:\w+=\S+ )*make ([a-z-]+)\b", code, re.MULTILINE)
    assert set(made) <= targets


@pytest.mark.parametrize("page", sorted(PAGES), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files, headings and pictures exist, also those with an absolute address."""
    text = PAGES[page]
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    for link in links:
        path, _, anchor = link.partition("#")
        picture = RAW_HOST.fullmatch(path)
        if path.startswith(("http:", "https:", "mailto:")) and picture is None:
            continue
        target = (page.parent / path).resolve() if path else page
        if picture is not None:
            target = ROOT / picture["path"]
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in headings]
            assert anchor in slugs, link


def test_every_promise_links_to_its_tests() -> None:
    """Each item of the README's list names a test module, which the test of links finds."""
    _, _, rest = README.partition("\n## What is promised\n")
    promises = re.findall(r"^- .+$", rest.partition("\n## ")[0], re.MULTILINE)
    assert len(promises) > 4
    assert [
        line for line in promises if not re.search(r"\(\[tests\]\(tests/\S+\.py\)\)", line)
    ] == []


def test_every_picture_is_shown() -> None:
    """No file of the folder is unused."""
    pictures = [path.name for path in (ROOT / "docs/screenshots").iterdir()]
    assert len(pictures) > 4
    assert [name for name in pictures if name not in EVERYTHING] == []
