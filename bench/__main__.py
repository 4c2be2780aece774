"""Measure the service and its alternatives: `python -m bench`.

Writes `results.json`, `table.md` and two plots to a folder, and the README's table if that is the
repository's own folder. `--draw` only writes these again from `results.json`.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import world
from bench.bounds import bounds
from bench.cold import cloned, cold
from bench.details import details
from bench.feed import feed
from bench.files import files
from bench.growth import growth
from bench.instances import instances
from bench.load import load, starts
from bench.measuring import Measured, measured, note
from bench.patterns import patterns
from bench.plan import FULL, QUICK, TINY, Plan
from bench.report import README, readme_with, table
from bench.stream import streamed
from bench.targets import targets
from bench.warm import warm
from bench.ways import ways
from bench.wide import wide
from bench.world import World

RESULTS = Path(__file__).parent / "results"
PLANS = {"full": FULL, "quick": QUICK, "tiny": TINY}
OF_A_SERVICE: dict[str, Callable[[Measured, Plan], Any]] = {
    "cold": cold,
    "stream": streamed,
    "files": files,
    "load": load,
}
BESIDE_IT: dict[str, Callable[[World, Plan], Any]] = {
    "clone": cloned,
    "wide": wide,
    "warm": warm,
    "growth": growth,
    "details": details,
    "targets": targets,
    "feed": feed,
    "bounds": bounds,
    "start": starts,
    "ways": ways,
    "instances": instances,
}
SECTIONS = (*OF_A_SERVICE, *BESIDE_IT, "patterns")
LIBRARIES = ("aiohttp", "google-re2", "requests", "urllib3", "flask")


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--plan", choices=PLANS, default="full")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--only", choices=SECTIONS, help="print one section's JSON")
    parser.add_argument("--draw", action="store_true")
    given = parser.parse_args()
    if given.only:
        json.dump(_measured(given.plan, [given.only])[given.only], sys.stdout, indent=1)
        return
    path = given.out / "results.json"
    if not given.draw:
        found = _measured(given.plan, SECTIONS)
        given.out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    _write(json.loads(path.read_text("utf-8")), given.out)


def _measured(plan_name: str, wanted: Collection[str]) -> dict[str, Any]:
    plan = PLANS[plan_name]
    began = time.monotonic()
    found: dict[str, Any] = {"command": _command(plan_name), "machine": _machine()}
    found["conditions"] = {
        "api_ms": world.API_MS,
        "raw_ms": world.RAW_MS,
        "bytes_per_second": world.BYTES_PER_SECOND,
        "concurrency": world.CONCURRENCY,
        "files_per_gist": world.FILES_PER_GIST,
        "file_bytes": world.FILE_BYTES,
        "plan": asdict(plan),
    }
    with world.github() as github:
        github.real_network()
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            service = stack.enter_context(measured(github, f"sqlite:///{folder}/cache"))
            for name, of_it in OF_A_SERVICE.items():
                if name in wanted:
                    found[name] = of_it(service, plan)
        for name, beside in BESIDE_IT.items():
            if name in wanted:
                found[name] = beside(github, plan)
    if "patterns" in wanted:
        found["patterns"] = patterns(plan)
    found["took_seconds"] = round(time.monotonic() - began)
    return found


def _command(plan_name: str) -> str:
    return {"full": "make bench", "quick": "make bench-quick"}.get(plan_name, "python -m bench")


def _machine() -> dict[str, Any]:
    cpu = Path("/proc/cpuinfo").read_text("utf-8").partition("model name")[2]
    memory = Path("/proc/meminfo").read_text("utf-8").split()[1]
    return {
        "cpu": cpu.partition("\n")[0].lstrip("\t: ") or platform.machine(),
        "cores": _cores(),
        "memory_gib": round(int(memory) / 2**20, 1),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("gistgrep", *LIBRARIES)},
    }


def _cores() -> int:
    return Path("/proc/cpuinfo").read_text("utf-8").count("\nprocessor") + 1


def _write(found: dict[str, Any], folder: Path) -> None:
    (folder / "table.md").write_text(table(found), "utf-8")
    try:
        from bench.plot import draw  # noqa: PLC0415 - it needs the group `bench`
    except ImportError:
        note("matplotlib is missing: no plot is drawn")
    else:
        draw(found, folder)
    if folder.resolve() == RESULTS.resolve():
        README.write_text(readme_with(README.read_text("utf-8"), found), "utf-8")


if __name__ == "__main__":
    main()
