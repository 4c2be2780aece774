"""Markdown tables of results: growth, details, targets, sources of contents."""

from __future__ import annotations

from collections.abc import Iterable

from bench.aims import Found


def growth(found: Found) -> str:
    """Warm searches and the plain loop."""
    rows = [
        [
            f"{row['gists']:,}",
            spread(row["seconds"]),
            spread(row["plain_seconds"]),
            spread(row["over_plain"]),
            f"{row['peak_mib']:.0f}",
        ]
        for row in found["growth"]
    ]
    return markdown(["gists", "gistapi", "plain loop", "times the loop", "peak PSS, MiB"], rows)


def details(found: Found) -> str:
    """The cost of returning every match."""
    rows = [
        [row["wanted"], f"{row['seconds']:.3g}", f"{row['cpu_seconds']:.3g}"]
        for row in found["details"]
    ]
    gists = found["details"][0]["gists"]
    return markdown([f"wanted, of {gists:,} gists that all match", "seconds", "CPU seconds"], rows)


def targets(found: Found) -> str:
    """Many users in one search."""
    rows = [
        [
            f"{row['users']}, {row['state']}",
            f"{row['together_seconds']:.3g}",
            f"{row['apart_seconds']:.3g}",
            " + ".join(map(str, row["requests"])),
        ]
        for row in found["targets"]
    ]
    head = ["users of 20 gists", "in one search", "one after another"]
    return markdown([*head, "requests (API + files)"], rows)


def ways(found: Found) -> str:
    """Each scenario of `bench.ways`."""
    rows = [
        [
            row["scene"],
            f"{row['seconds']:.3g}",
            ", ".join(f"{count} {origin}" for origin, count in row["requests"].items() if count),
            f"{row['refused']}",
        ]
        for row in found["ways"]
    ]
    return markdown(
        [f"{found['ways'][0]['gists']:,} gists", "seconds", "requests", "refused"], rows
    )


def markdown(head: list[str], rows: Iterable[list[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shown(values: dict[str, float] | None) -> str:
    """A median, with three digits."""
    return "-" if values is None else f"{values['median']:.3g}"


def spread(values: dict[str, float]) -> str:
    """A median, with minimum and maximum in brackets."""
    low, high = (f"{values[name]:.3g}" for name in ("min", "max"))
    return f"{values['median']:.3g}" + (f" ({low} to {high})" if low != high else "")
