"""This version and another one, measured in turns: only the ratios matter.

Run: python -m bench.beside /path/to/the/other/.venv/bin/gistapi [--rounds 3] [--out FILE]. Writes a
table: cold and warm searches, 16 concurrent clients with /ping meanwhile, start time, and memory
when idle.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.load import load
from bench.measuring import MIB, NEEDLE, measured, note
from bench.plan import FULL, Plan
from bench.tables import markdown
from bench.world import World, github
from tests.serving import SERVE

GISTS = 1000
LOGIN = "octocat"
WARM_SEARCHES = 10
Readings = dict[str, list[float]]
AIMS = {
    "PSS when idle, MiB": ("at most", 1.0),
    "cold, CPU s": ("at most", 0.75),
    "16 clients: searches a second": ("at least", 1.3),
    "16 clients: /ping p99, ms": ("at most", 0.7),
}
"""What this version aims at, times the other one's."""


def main() -> None:
    """Measure both in turns, and print the table."""
    parser = argparse.ArgumentParser(prog="bench.beside", description=__doc__)
    parser.add_argument("other", help="the other version's program")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gists", type=int, default=GISTS)
    parser.add_argument("--name", default="other", help="what the table calls the other version")
    parser.add_argument("--out", type=Path, help="a file for the table")
    given = parser.parse_args()
    plan = replace(FULL, clients=(16,))
    commands = {"other": (given.other, "serve"), "this": SERVE}
    found: dict[str, Readings] = {name: defaultdict(list) for name in commands}
    for turn in range(given.rounds):
        for name, command in commands.items():
            note(f"round {turn + 1}, {name}")
            with github() as world:
                world.real_network()
                world.generate(LOGIN, given.gists, seed=1000 + turn)
                _measure(world, command, plan, found[name])
    text = (
        f"# Beside {given.name}\n\nMedians of {given.rounds} rounds in turns, with"
        f" {given.gists:,} gists (`python -m bench.beside`).\n\n"
    ) + table(given.name, found["other"], found["this"])
    sys.stdout.write(text)
    if given.out:
        given.out.write_text(text, "utf-8")


def _measure(world: World, command: Sequence[str], plan: Plan, found: Readings) -> None:
    """Add one reading to each row."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with measured(world, f"sqlite:///{folder}/cache", command=command) as service:
            found["start, s"].append(time.perf_counter() - began)
            time.sleep(plan.idle_seconds)
            found["PSS when idle, MiB"].append(service.pss_bytes() / MIB)
            cost = service.search(LOGIN, NEEDLE)
            found["cold, s"].append(cost.seconds)
            found["cold, CPU s"].append(cost.cpu_seconds)
            warm = [service.search(LOGIN, f"{NEEDLE} {number}") for number in range(WARM_SEARCHES)]
            found["warm, s"].append(statistics.median(cost.seconds for cost in warm))
            found["warm, CPU s"].append(statistics.median(cost.cpu_seconds for cost in warm))
            (row,) = load(service, plan)
    found["16 clients: searches a second"].append(row["searches_per_second"])
    found["16 clients: /ping p99, ms"].append(row["ping_ms"]["p99"])
    found["16 clients: PSS at most, MiB"].append(row["peak_mib"])


def table(name: str, other: Readings, this: Readings) -> str:
    """The medians of both and their ratio, and whether it meets its aim."""
    rows = []
    for what, readings in this.items():
        own, others = statistics.median(readings), statistics.median(other[what])
        ratio, (bound, aim) = own / others, AIMS.get(what, ("", 0.0))
        wanted = f"{bound} {aim}" if bound else ""
        is_met = ratio >= aim if bound == "at least" else ratio <= aim
        met = ("yes" if is_met else "**no**") if bound else ""
        rows.append([what, f"{others:.4g}", f"{own:.4g}", f"{ratio:.2f}", wanted, met])
    return markdown(["", name, "this", "ratio", "wanted", "met"], rows) + "\n"


if __name__ == "__main__":
    main()
