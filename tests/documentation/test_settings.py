"""docs/settings.md and the code agree on names, defaults and permitted values."""

from __future__ import annotations

import re

import pytest

from gistapi.errors import SettingsError
from gistapi.settings import FROM_FILE, SECRETS, Settings, load_settings, variable
from tests.serving import ROOT

PAGE = (ROOT / "docs/settings.md").read_text("utf-8")
FIELDS = {variable(field): field for field in Settings.model_fields}
ROW = re.compile(r"^\| `(GISTAPI_\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
ROWS = {name: (default, values, meaning) for name, default, values, meaning in ROW.findall(PAGE)}
BOUNDED = [name for name, row in ROWS.items() if re.search(r"\d", row[1]) and "`" not in row[1]]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove every setting from the environment."""
    for name in (*FIELDS, *(variable(field) + FROM_FILE for field in SECRETS)):
        monkeypatch.delenv(name, raising=False)


def test_every_setting_has_one_row_and_every_row_is_a_setting() -> None:
    """The tables list all settings in the order of the code."""
    assert [name for name, *_ in ROW.findall(PAGE)] == list(FIELDS)
    for name, (_, _, meaning) in ROWS.items():
        assert meaning.endswith("."), name


def test_every_secret_can_come_from_a_file() -> None:
    """The page names their variables with `_FILE`, and no others."""
    named = set(re.findall(rf"`(GISTAPI_\w+{FROM_FILE})`", PAGE)) - set(FIELDS)
    assert named == {variable(field) + FROM_FILE for field in SECRETS}


@pytest.mark.parametrize("name", FIELDS)
def test_a_documented_default_is_the_real_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Setting a variable to its documented default changes nothing; `none` means unset.

    A default that depends on the machine is described, with its constant part in backticks.
    """
    field = FIELDS[name]
    default = getattr(load_settings(), field)
    shown, _, _ = ROWS[name]
    if shown == "none":
        assert default in (None, ())
    elif Settings.model_fields[field].default_factory is not None:
        assert shown.partition("`")[2].partition("`")[0] in str(default)
    else:
        monkeypatch.setenv(name, shown.strip("`"))
        assert getattr(load_settings(), field) == default


@pytest.mark.parametrize("name", BOUNDED)
def test_documented_bounds_are_the_real_ones(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A value at a documented bound is accepted, one beyond it is refused."""
    values = ROWS[name][1]
    if characters := re.fullmatch(r"at least (\d+) characters", values):
        accepted, refused = _words(int(characters[1]))
    else:
        accepted, refused = _bounds(values)
    assert refused, values
    for value in accepted:
        monkeypatch.setenv(name, value)
        load_settings()
    for value in refused:
        monkeypatch.setenv(name, value)
        with pytest.raises(SettingsError, match=name):
            load_settings()


def _words(least: int) -> tuple[list[str], list[str]]:
    return ["x" * least], ["x" * (least - 1)]


def _bounds(values: str) -> tuple[list[str], list[str]]:
    """Values at the bounds, and values beyond them."""
    accepted: list[str] = []
    refused: list[str] = []
    if found := re.fullmatch(r"(\d+) to (\d+)", values):
        accepted += [found[1], found[2]]
        refused += [str(int(found[1]) - 1), str(int(found[2]) + 1)]
    if found := re.search(r"more than (\d+)", values):
        refused.append(found[1])
    if found := re.search(r"at most (\d+)", values):
        accepted.append(found[1])
        refused.append(str(int(found[1]) + 1))
    if found := re.fullmatch(r"at least (\d+)(MiB)?", values):
        accepted.append(found[1] + (found[2] or ""))
        refused.append("1MB" if found[2] else str(int(found[1]) - 1))
    return accepted, refused


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row[1].startswith("`")])
def test_documented_choices_are_the_real_ones(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Each documented value is accepted, and any other word is refused."""
    for value in re.findall(r"`([^`]+)`", ROWS[name][1]):
        monkeypatch.setenv(name, value.replace("…", "localhost"))
        load_settings()
    monkeypatch.setenv(name, "another")
    with pytest.raises(SettingsError, match=name):
        load_settings()


def test_the_image_listens_on_all_interfaces() -> None:
    """The page says so of GISTAPI_HOST."""
    assert "GISTAPI_HOST=0.0.0.0" in (ROOT / "Dockerfile").read_text("utf-8")
    assert "image sets `0.0.0.0`" in ROWS["GISTAPI_HOST"][2]
