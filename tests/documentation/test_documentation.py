"""The documentation and the program agree: whatever one names, the other has."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from gistapi.cli import main
from gistapi.search.report import REASONS, ErrorCode
from gistapi.settings import FROM_FILE, SECRETS, Settings, variable
from gistapi.web import create_web
from gistapi.web.schema import SearchRequest
from tests.fake_github import FakeGithub
from tests.fake_github.demo import populate
from tests.serving import ROOT, SECONDS, environment, serving
from tests.web.searches import Searches

README = (ROOT / "README.md").read_text("utf-8")
PAGES = {
    path: path.read_text("utf-8")
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
    if path.name != "CHANGELOG.md"
}
EVERYTHING = "\n".join(PAGES.values())


def cells(heading: str, column: int) -> list[str]:
    """The words in backticks of one column of the README's table that begins with this heading."""
    _, _, rest = README.partition(f"\n| {heading} |")
    assert rest, heading
    rows = rest.partition("\n\n")[0].splitlines()[2:]
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row.split(" | ")[column])]


def test_every_setting_is_in_the_documentation_and_the_other_way_round() -> None:
    """Each variable stands in a table, and each that stands anywhere is read."""
    known = {variable(field) for field in Settings.model_fields}
    named = set(re.findall(r"\bGISTAPI_[A-Z0-9_]+", EVERYTHING))
    from_files = {variable(field) + FROM_FILE for field in SECRETS}
    assert named - from_files == known
    tables = "\n".join(line for line in EVERYTHING.splitlines() if line.startswith("|"))
    assert [name for name in sorted(known) if f"`{name}`" not in tables] == []


def test_every_setting_has_its_default_in_the_readme() -> None:
    """The defaults told are those in force, where a plain value is told."""
    names = cells("name | default", 0)
    assert len(names) > 10
    row = {
        name: line for line in README.splitlines() for name in re.findall(r"`(GISTAPI_\w+)`", line)
    }
    for field, info in Settings.model_fields.items():
        default = info.get_default()
        if variable(field) in names and isinstance(default, int | float | str):
            shown = {f"{default:g}"} if isinstance(default, int | float) else {default}
            if field in {"cache_max_bytes", "search_max_bytes"}:
                shown = {"1GiB"}
            elif field == "cache_max_file_bytes":
                shown = {"100MiB"}
            elif isinstance(default, bool):
                shown = {str(default).lower()}
            told = row[variable(field)].split(" | ")[1]
            assert shown & set(re.findall(r"`([^`]+)`", told)), (field, told)


def test_every_route_is_in_the_documentation_and_the_other_way_round() -> None:
    """Method and path; what belongs to the pages is theirs."""
    rules = [rule for rule in create_web(Searches()).url_map.iter_rules() if "<" not in rule.rule]
    routes = {
        f"{method} {rule.rule}"
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert set(re.findall(r"`((?:GET|POST|PUT|DELETE) /[^ `]*)`", EVERYTHING)) == routes


def test_every_error_code_and_reason_is_in_the_readme_and_the_other_way_round() -> None:
    """The tables list them all, and no others."""
    codes = cells("status | code", 1)
    assert sorted(codes) == sorted(get_args(ErrorCode))
    reasons = cells("reason | what it means", 0)
    assert sorted(reasons) == sorted(REASONS)


def test_every_field_of_the_request_is_in_the_readme_and_the_other_way_round() -> None:
    """The table lists them all, and no others."""
    assert sorted(cells("field | type", 0)) == sorted(SearchRequest.model_fields)


def test_every_command_is_in_the_readme_and_the_other_way_round() -> None:
    """Those of `gistapi`, the options of its search, and the targets of make."""
    commands = set(
        re.findall(r"(?<!--app )(?<!exec )\bgistapi ([a-z]+)\b", "\n".join(code_of(EVERYTHING)))
    )
    assert commands == set(main.commands)
    search = main.commands["search"]
    options = {name for option in search.params for name in option.opts if name.startswith("-")}
    told = set(re.findall(r"(?<![\w-])(--?[a-zA-Z][a-z-]*)", "\n".join(cells("option | does", 0))))
    told |= set(re.findall(r"`(--[a-z-]+)", README)) & options
    assert told <= options
    assert [o.opts for o in search.params if o.opts[0][0] == "-" and not told & set(o.opts)] == []
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b", "\n".join(code_of(README)))) <= targets


def code_of(text: str) -> Iterator[str]:
    """What is set as code: blocks, and words in backticks."""
    yield from re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", text)


@pytest.mark.parametrize("page", sorted(PAGES), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Files exist, headings too; pictures are files."""
    text = PAGES[page]
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    for link in links:
        path, _, anchor = link.partition("#")
        if path.startswith(("http:", "https:", "mailto:")):
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            slugs = [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in headings]
            assert anchor in slugs, link


def test_every_picture_is_shown() -> None:
    """None lies around unused."""
    pictures = [path.name for path in (ROOT / "docs/screenshots").iterdir()]
    assert len(pictures) > 4
    assert [name for name in pictures if name not in EVERYTHING] == []


def sessions(text: str) -> list[tuple[str, str]]:
    """The commands of the `console` blocks, and what each is said to print."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines(keepends=True)
            size = next(i for i, line in enumerate(lines, 1) if not line.endswith("\\\n"))
            found.append(("".join(lines[:size]), "".join(lines[size:])))
    return found


def said(output: str) -> list[Any]:
    """The lines, in no order, as JSON where they are; how long it took is left out."""
    lines: list[Any] = []
    for line in output.splitlines():
        loaded = json.loads(line) if line.startswith("{") else line
        if isinstance(loaded, dict) and loaded.get("type") == "end":
            del loaded["data"]["elapsed_seconds"]
        lines.append(loaded)
    return sorted(lines, key=str)


@pytest.fixture(scope="module")
def shell() -> Iterator[dict[str, str]]:
    """Give the environment of a shell, and a service before the demo's GitHub at another port."""
    with FakeGithub() as github, serving(github) as service:
        populate(github.world)
        bin_folder = str(Path(sys.executable).parent)
        path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
        yield environment(github) | {"PATH": path, "PORT_OF_THE_TEST": str(service.port)}


@pytest.mark.parametrize(("command", "output"), sessions(README))
def test_what_the_readme_shows_is_what_the_demo_answers(
    shell: dict[str, str], command: str, output: str
) -> None:
    """Each command of the README prints what it is said to print."""
    words = command.replace("127.0.0.1:9876", f"127.0.0.1:{shell['PORT_OF_THE_TEST']}")
    environ = {name: value for name, value in shell.items() if name != "PORT_OF_THE_TEST"}
    done = subprocess.run(
        ["sh", "-c", words],
        env=environ,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert said(done.stdout) == said(output)
    assert output


def test_the_readme_has_sessions() -> None:
    """There is something to try: the plain answer, the stream, and the command."""
    assert [command.split()[0] for command, _ in sessions(README)].count("curl") >= 2
    assert any(command.startswith("gistapi search") for command, _ in sessions(README))
