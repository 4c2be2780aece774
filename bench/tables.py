"""Markdown tables of results: growth, details, targets, sources of contents, feed, attacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

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


def feed(found: Found) -> str:
    """The Atom feed in each of its states."""
    rows = [
        [
            row["feed"],
            row["state"],
            f"{row['status']}",
            f"{row['seconds']:.3g}",
            f"{row['cpu_seconds']:.3g}",
            f"{row['size_bytes']:,}",
            " + ".join(map(str, row["requests"])),
        ]
        for row in found["feed"]
    ]
    head = ["feed of", "", "status", "seconds", "CPU seconds", "bytes", "requests (API + files)"]
    return markdown(head, rows)


def attacks(rows: list[Found]) -> str:
    """What others see beside each attack."""
    shown_rows = [
        [
            row["what"],
            *(_percentiles(row[f"{who}_ms"]) for who in ("ping", "readyz", "good")),
            f"{row['refused']} of {row['good']}",
            f"{row['peak_mib']:.0f}",
            " / ".join(f"{row['cores'][who]:.1f}" for who in ("service", "clients", "others")),
        ]
        for row in rows
    ]
    head = ["attack", "`/ping`, ms", "`/readyz`, ms", "good caller, ms"]
    head += ["refused", "peak PSS, MiB", "cores: service / clients / others"]
    return markdown(head, shown_rows)


def beside(others: list[Found], ours: list[Found]) -> str:
    """Two versions beside the same attacks: the other one before, this one after."""
    rows = [
        [
            after["what"],
            *_pair(before, after, lambda row: f"{row['ping_ms']['p99']:,.0f}"),
            *_pair(before, after, lambda row: f"{row['good_ms']['p99']:,.0f}"),
            *_pair(before, after, lambda row: f"{row['refused']} of {row['good']}"),
            *_pair(before, after, _peak),
        ]
        for before, after in zip(others, ours, strict=True)
    ]
    columns = ("`/ping` p99, ms", "good caller p99, ms", "refused", "peak PSS, MiB")
    return markdown(["attack", *(f"{c}: {w}" for c in columns for w in ("before", "after"))], rows)


def _pair(before: Found, after: Found, show: Callable[[Found], str]) -> tuple[str, str]:
    return show(before), show(after)


def _peak(row: Found) -> str:
    return f"{row['peak_mib']:.0f}" + ("" if row["alive"] else ", died")


def _percentiles(ms: dict[str, float]) -> str:
    return " / ".join(f"{ms[name]:,.0f}" for name in ("p50", "p99", "max"))


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
