"""The aims that the figures are compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Found = dict[str, Any]


@dataclass(frozen=True)
class Aim:
    """One aim, in words for a table."""

    what: str
    wanted: str
    measured: str
    met: bool


def aims(found: Found) -> list[Aim]:
    """All aims, in the order of the tables."""
    return [*_searches(found), *_matching(found), *_service(found)]


def _searches(found: Found) -> Iterator[Aim]:
    for row in found["cold"]:
        yield _at_most(
            f"cold search of {row['gists']:,} gists, times the bound",
            1.1,
            row["nothing_over_bound"]["median"],
        )
    largest = found["cold"][-1]
    for wanted in (1.0, 0.7):
        spent = largest["cpu_ms_per_file"]["median"]
        yield _at_most("CPU for a small file fetched, ms", wanted, spent)
    for row in found["warm"]:
        if row["state"] == "within the TTL":
            gists = found["conditions"]["plan"]["warm_gists"]
            words = f"warm search of {gists:,} gists, {row['store']}, s"
            yield _at_most(words, 0.1, row["seconds"]["median"])


def _matching(found: Found) -> Iterator[Aim]:
    measured = found["patterns"]["all_files"]
    yield _at_least(
        "matching, times as fast as `re` (geometric mean)", 3, measured["geometric_mean"]
    )
    yield _at_least(
        "matching by the slowest pattern, times as fast as `re`", 0.8, measured["least"]
    )


def _service(found: Found) -> Iterator[Aim]:
    fullest = found["load"][-1]
    words = f"`/ping` beside {fullest['clients']} clients, p99, ms"
    yield _at_most(words, 50, fullest["ping_ms"]["p99"])
    yield _at_most("PSS when idle, MiB", 120, found["start"]["idle_mib"]["median"])
    peaks = [row["peak_mib"]["max"] for row in (*found["cold"], *found["files"])]
    peaks += [row["peak_mib"] for row in found["load"]]
    yield _at_most("PSS at most in all of this, MiB", 300, max(peaks))


def _at_most(what: str, wanted: float, measured: float) -> Aim:
    met = measured <= wanted
    return Aim(what, f"at most {wanted:g}", _shown(measured, wanted, met=met), met)


def _at_least(what: str, wanted: float, measured: float) -> Aim:
    met = measured >= wanted
    return Aim(what, f"at least {wanted:g}", _shown(measured, wanted, met=met), met)


def _shown(measured: float, wanted: float, *, met: bool) -> str:
    """Three digits, or four where three would hide that an aim was missed."""
    shown = f"{measured:.3g}"
    return shown if met or float(shown) != wanted else f"{measured:.4g}"
