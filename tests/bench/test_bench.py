"""The measurements run in their smallest size, and the reports show the results."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import beside
from bench.aims import Aim, aims
from bench.report import README, readme_with, summary, table
from tests.serving import ROOT, environment
from tests.serving import run as run_command

RESULTS = ROOT / "bench/results"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the results of the smallest run, and its table under the key `table`."""
    folder = tmp_path_factory.mktemp("bench")
    command = (sys.executable, "-m", "bench", "--plan", "tiny", "--out", str(folder))
    done = run_command(*command, environ=environment(), cwd=ROOT, timeout=550)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((folder / "results.json").read_text("utf-8"))
    return found | {"table": (folder / "table.md").read_text("utf-8")}


def test_every_measurement_runs(tiny: dict[str, Any]) -> None:
    """Each section has its rows, and each figure is plausible."""
    assert [row["gists"] for row in tiny["cold"]] == [2, 5]
    for row in tiny["cold"]:
        assert 0 < row["bound_seconds"] < row["nothing_seconds"]["median"]
        assert row["api_requests"] == 1
        assert row["files"] >= row["gists"]
    assert tiny["cold"][0]["one_by_one_seconds"]["median"] > 0.12
    for row in tiny["stream"]:
        assert 0.12 < row["first_seconds"]["median"] <= row["end_seconds"]["median"]
    assert len(tiny["patterns"]["rows"]) == 20
    assert tiny["start"]["idle_mib"]["median"] > 10
    assert all(row["searches"] and row["ping_ms"]["p50"] for row in tiny["load"])


def test_warm_searches_send_only_the_requests_they_need(tiny: dict[str, Any]) -> None:
    """No request within the TTL, one after it, one more for a gist that has changed."""
    asked = {row["state"]: (row["api_requests"], row["raw_requests"]) for row in tiny["warm"]}
    assert asked["within the TTL"] == (0, 0)
    assert asked["after the TTL"] == (1, 0)
    assert asked["one gist changed"][1] == 1


def test_a_needle_at_the_start_stops_the_download(tiny: dict[str, Any]) -> None:
    """Less of the largest file is read then."""
    sent = tiny["files"][-1]["github_bytes"]
    assert sent["start"] < sent["end"]


def test_the_table_shows_every_aim_and_pattern(tiny: dict[str, Any]) -> None:
    """The table written by the run is the one made from its results."""
    assert table(tiny) == tiny["table"]
    rows = [row["name"] for row in tiny["patterns"]["rows"]] + [aim.what for aim in aims(tiny)]
    assert [row for row in rows if row not in tiny["table"]] == []
    assert [
        aim.measured for aim in aims(tiny) if not aim.met and aim.what not in summary(tiny)
    ] == []


def test_an_aim_is_met_or_not(tiny: dict[str, Any]) -> None:
    """A figure beyond the aim is a miss."""
    found = json.loads(json.dumps(tiny))
    found["start"]["idle_mib"]["median"] = 119.9
    found["cold"][-1]["nothing_over_bound"]["median"] = 1.11
    judged = {aim.what: aim for aim in aims(found)}
    assert judged["PSS when idle, MiB"] == Aim("PSS when idle, MiB", "at most 120", "120", True)  # noqa: FBT003
    assert not judged["cold search of 5 gists, times the bound"].met


def test_the_table_beside_another_version_says_what_is_missed() -> None:
    """A ratio on the wrong side of its aim is a miss; rows without an aim say nothing."""
    rows = ("start, s", "PSS when idle, MiB", "16 clients: searches a second")
    other, ours = ({row: [figure] for row in rows} for figure in (100.0, 120.0))
    lines = beside.table("0.1", other, ours).splitlines()
    assert [line.split(" | ")[-2:] for line in lines[2:]] == [
        ["", " |"],
        ["at most 1.0", "**no** |"],
        ["at least 1.3", "**no** |"],
    ]


def test_the_reports_show_what_was_measured() -> None:
    """The table and the README are generated from the results; no figure is written by hand."""
    found = json.loads((RESULTS / "results.json").read_text("utf-8"))
    assert found["command"] == "make bench"
    assert (RESULTS / "table.md").read_text("utf-8") == table(found)
    text = README.read_text("utf-8")
    assert readme_with(text, found) == text


def test_the_plots_are_drawn_from_the_results(tmp_path: Path) -> None:
    """Drawing them again gives the same pictures."""
    plot = pytest.importorskip("bench.plot", reason="matplotlib comes with `make bench`")
    found = json.loads((RESULTS / "results.json").read_text("utf-8"))
    plot.draw(found, tmp_path)
    for drawn in sorted(tmp_path.iterdir()):
        assert drawn.read_text("utf-8") == (RESULTS / drawn.name).read_text("utf-8")
    assert len(list(tmp_path.iterdir())) == 2
