"""The aims, and whether the results meet them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

FAST_MB_PER_SECOND = 1000
Found = dict[str, Any]


@dataclass(frozen=True)
class Aim:
    """One aim, as text for a table."""

    what: str
    wanted: str
    measured: str
    met: bool


def aims(found: Found) -> list[Aim]:
    """All aims, in the order of the tables."""
    return [*_searches(found), *_matching(found), *_service(found)]


def _searches(found: Found) -> Iterator[Aim]:
    for row in found["cold"][1:]:
        words = f"cold search of {row['gists']:,} gists, times the bound"
        yield _at_most(words, 1.05, row["nothing_over_bound"]["median"])
    wide = found["wide"]
    words = f"cold search of {wide['gists']:,} gists, 64 at once, times the bound"
    yield _at_most(words, 1.5, wide["over_bound"]["median"])
    spent = found["cold"][-1]["cpu_over_fetch"]["median"]
    yield _at_most("CPU for a small file, times that of aiohttp alone", 1.5, spent)
    small, large = found["growth"]
    words = f"warm search of {small['gists']:,} gists, times a plain loop over SQLite"
    yield _at_most(words, 0.5, small["over_plain"]["median"])
    growth = large["seconds"]["median"] / small["seconds"]["median"]
    times = large["gists"] / small["gists"]
    words = f"warm search of {large['gists']:,} gists, times that of {small['gists']:,}"
    yield _at_most(words, 1.1 * times, growth)
    more = large["peak_mib"] - small["peak_mib"]
    yield _at_most(f"additional memory for {large['gists']:,} gists, MiB", 100, more)
    trips = (found["conditions"]["api_ms"] + found["conditions"]["raw_ms"]) / 1e3
    first = min(row["first_seconds"]["median"] for row in found["stream"])
    yield _at_most("first match of a stream, times two round trips", 1.3, first / trips)


def _matching(found: Found) -> Iterator[Aim]:
    measured = found["patterns"]["all_files"]
    yield _at_least(
        "matching, times as fast as `re` (geometric mean)", 4.5, measured["geometric_mean"]
    )
    # Where `re` itself reads more than 1 GB a second, RE2 cannot gain.
    slow = [
        row["all_files"]["times"]["median"]
        for row in found["patterns"]["rows"]
        if row["all_files"]["re_mb_per_second"]["median"] < FAST_MB_PER_SECOND
    ]
    yield _at_least("matching by the slowest pattern, times as fast as `re`", 0.9, min(slow))


def _service(found: Found) -> Iterator[Aim]:
    fullest = found["load"][-1]
    words = f"`/ping` with {fullest['clients']} clients, p99, ms"
    yield _at_most(words, 100, fullest["ping_ms"]["p99"])
    words = "searches a second of two instances on one machine, times those of one"
    yield _at_least(words, 1.6, found["instances"]["times"])
    yield _at_most("PSS when idle, MiB", 120, found["start"]["idle_mib"]["median"])
    peaks = [row["peak_mib"]["max"] for row in (*found["cold"], *found["files"])]
    peaks += [row["peak_mib"] for row in found["load"]]
    yield _at_most("peak PSS in all of this, MiB", 300, max(peaks))


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
