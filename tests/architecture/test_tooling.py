"""The tools' configurations agree: commands, versions, reasons, pins."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")


def promised_pythons() -> list[str]:
    """List the minor versions of Python that the package declares."""
    prefix = "Programming Language :: Python :: 3."
    return [c.rpartition(" ")[2] for c in PROJECT["project"]["classifiers"] if prefix in c]


def test_help_lists_every_command() -> None:
    """`make help` describes each command of the Makefile."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    shown = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert re.findall(r"^make ([\w-]+) +\S", shown.stdout, re.MULTILINE) == phony.split()


def test_contributing_names_only_commands_that_exist() -> None:
    """Each `make X` in the guide is a target."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = re.findall(
        r"`(?:\S+=\S+ )?make ([\w-]+)`", (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    )
    assert named
    assert [name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []


def test_the_oldest_python_is_the_same_everywhere() -> None:
    """Package, ruff and mypy start from one version."""
    oldest = promised_pythons()[0]
    assert PROJECT["project"]["requires-python"].startswith(f">={oldest},")
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")
    assert PROJECT["tool"]["mypy"]["python_version"] == oldest


def test_the_workflow_tests_every_promised_python() -> None:
    """CI runs each promised version; only the others may fail."""
    (matrix,) = re.findall(r"python: \[(.+)\]", WORKFLOW)
    (excused,) = re.findall(r"continue-on-error: (.+)", WORKFLOW)
    tried, may_fail = re.findall(r"3\.\d+", matrix), re.findall(r"3\.\d+", excused)
    assert [version for version in tried if version not in may_fail] == promised_pythons()


def test_the_distribution_has_one_name() -> None:
    """Every lookup of the version uses the name in pyproject.toml."""
    sources = [path.read_text("utf-8") for path in (ROOT / "gistapi").rglob("*.py")]
    asked = [
        name
        for source in sources
        for name in re.findall(r"\b(?:version\(|package_name=)[\"'](\w+)[\"']", source)
    ]
    assert len(asked) > 1
    assert set(asked) == {PROJECT["project"]["name"]}


def test_the_readmes_pictures_have_absolute_addresses() -> None:
    """They lie in the project's repository, so a package index shows them too."""
    pictures = re.findall(r'(?:src|srcset)="([^"]+)"', (ROOT / "README.md").read_text("utf-8"))
    owner = PROJECT["project"]["urls"]["Homepage"].removeprefix("https://github.com/")
    prefix = f"https://raw.githubusercontent.com/{owner}/main/"
    assert pictures
    assert [url for url in pictures if not url.startswith(prefix)] == []
    assert all((ROOT / url.removeprefix(prefix)).is_file() for url in pictures)


def test_the_image_has_a_promised_python() -> None:
    """All stages of the image use one Python, and it is a promised one."""
    bases = re.findall(
        r"^FROM python:(3\.\d+)-slim\b", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE
    )
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert bases[0] in promised_pythons()


def test_actions_are_pinned() -> None:
    """Each action of a workflow is pinned to a commit, with its full version beside it."""
    workflows = list((ROOT / ".github/workflows").iterdir())
    used = [u for path in workflows for u in re.findall(r"uses: (.+)", path.read_text("utf-8"))]
    assert len(used) > len(workflows) > 1
    assert [u for u in used if not re.fullmatch(r"\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+", u)] == []


def test_every_lint_rule_that_is_off_has_its_reason() -> None:
    """Pylint has every check on; each check of pylint or ruff that is off has its reason."""
    enabled, _, rest = (ROOT / ".pylintrc").read_text("utf-8").partition("disable=\n")
    assert enabled.endswith("enable=all\n")
    messages = rest.partition("\n\n")[0].splitlines()
    lines = (ROOT / "pyproject.toml").read_text("utf-8").partition("[tool.ruff.lint]")[2]
    rules = re.findall(r'^    "[A-Z]+[0-9]*".*$', lines, re.MULTILINE)
    assert rules
    assert [line for line in messages + rules if not re.search(r"# \w", line)] == []
