"""Which package may import which, and how long modules and functions may be."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "gistapi"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MAX_ROOT_MODULES = 10
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 60


@dataclass(frozen=True)
class Part:
    """A part of the project: its modules, and the parts and libraries that it may import."""

    modules: str
    parts: str = ""
    libraries: str = ""


# docs/decisions/layout.md says where this differs from the first design, and why.
PARTS = {
    "errors": Part("errors"),
    "models": Part("models"),
    "events": Part("events"),
    "values": Part("setting_values"),
    "settings": Part(
        "settings",
        "errors values",
        "limits pydantic pydantic_core pydantic_settings platformdirs redis",
    ),
    "aio": Part("aio", "errors"),
    "matching": Part("matching", "errors models events aio", "re2"),
    "github": Part(
        "github", "errors models events aio values", "aiohttp cachetools dulwich requests yarl"
    ),
    "cache": Part("cache", "errors events values", "cachetools redis"),
    # Counters and nonces live in the Redis that the cache's URL names.
    "quota": Part("quota", "errors events cache", "cachetools limits"),
    "search": Part(
        "search", "errors models events aio matching", "cachetools pydantic typing_extensions"
    ),
    # Of aio, the meter that a search charges; of matching, nothing.
    "web": Part(
        "web",
        "errors models events aio search quota settings",
        "aiohttp multidict flask flask_cors werkzeug pydantic pydantic_core prometheus_client"
        " structlog altcha typing_extensions",
    ),
    "app": Part(
        "app",
        "errors events settings aio matching search github cache quota web",
        "flask",
    ),
    # It stands alone: programs install the package for it and start no service.
    "client": Part("client", "models", "requests"),
    "cli": Part(
        "cli __main__",
        "errors models settings search quota web app client",
        "click mcp platformdirs pydantic typing_extensions wcwidth",
    ),
    "wsgi": Part("__init__ gistapi", "app"),
}
SAME_THING = {
    "Begin": "the event of a search, and the client's view of it",
    "End": "the same",
    "Match": "the same",
}
"""Public class names that are defined twice, and why they mean one thing."""
PART_OF = {module: name for name, part in PARTS.items() for module in part.modules.split()}


def imported(source: str) -> Iterator[str]:
    """Yield the dotted name of each import, wherever in the source it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module == "gistapi":
                yield from (f"gistapi.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def faults(part: Part, source: str) -> list[str]:
    """List the imports of a module of `part` that are not permitted."""
    own = {*part.modules.split()}
    wrong = []
    for name in imported(source):
        top, _, rest = name.partition(".")
        if top == "gistapi":
            module = rest.partition(".")[0]
            if module == "create_app":
                module = "app"
            allowed = module in own or PART_OF.get(module) in part.parts.split()
        else:
            allowed = top in sys.stdlib_module_names or top in part.libraries.split()
        if not allowed:
            wrong.append(name)
    return wrong


def part_of(path: Path) -> Part:
    """Look up the part that the module `path` belongs to."""
    module = path.relative_to(PACKAGE).with_suffix("").parts[0]
    assert module in PART_OF, f"{module} belongs to no part: give it one in PARTS"
    return PARTS[PART_OF[module]]


def name_of(path: Path) -> str:
    """Name a module for a test's id."""
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_imports_what_its_part_may(path: Path) -> None:
    """Each part imports only the parts and libraries that the table gives it."""
    assert faults(part_of(path), path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_module_has_a_docstring_and_is_short(path: Path) -> None:
    """Each module has a docstring and at most 300 lines; each function at most 60."""
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    assert ast.get_docstring(tree)
    assert len(source.splitlines()) <= MAX_MODULE_LINES
    long = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]
    assert long == []


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("search", "import flask"),
        ("search", "from gistapi.github.client import Client"),
        ("search", "from gistapi import web"),
        ("github", "from gistapi import cache as store"),
        ("web", "from gistapi import create_app"),
        ("cli", "import gistapi.cache.sqlite"),
        ("matching", "def late():\n    import requests.adapters"),
        ("errors", "from gistapi.models import Gist"),
    ],
)
def test_a_forbidden_import_is_found(part: str, source: str) -> None:
    """The rule above finds each form of import that it forbids."""
    assert len(faults(PARTS[part], source)) == 1


@pytest.mark.parametrize("name", PARTS)
def test_every_permission_is_used(name: str) -> None:
    """The table grants no part or library that no module of the part imports."""
    part = PARTS[name]
    sources = [path for path in SOURCES if part_of(path) is part]
    used = {module for path in sources for module in imported(path.read_text("utf-8"))}
    tops = {module.partition(".")[0] for module in used}
    ours = {module.split(".")[1] for module in used if module.startswith("gistapi.")}
    parts = {PART_OF["app" if module == "create_app" else module] for module in ours}
    assert [library for library in part.libraries.split() if library not in tops] == []
    assert [other for other in part.parts.split() if other not in parts] == []


def test_the_root_is_small() -> None:
    """It has at most ten modules: the entry points, and what every package may use."""
    assert len(list(PACKAGE.glob("*.py"))) <= MAX_ROOT_MODULES


def test_no_class_name_stands_for_two_things() -> None:
    """Each public class has a name of its own, except those in SAME_THING."""
    found: dict[str, list[str]] = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(name_of(path))
    twice = {name: paths for name, paths in found.items() if len(paths) > 1}
    assert {name: paths for name, paths in twice.items() if name not in SAME_THING} == {}
    assert [name for name in SAME_THING if name not in twice] == []


def test_a_permitted_import_is_no_fault() -> None:
    """A part may import the standard library, its own modules and its libraries."""
    source = "import os.path\nfrom gistapi.web import problems\nfrom flask import Flask"
    assert faults(PARTS["web"], source) == []
