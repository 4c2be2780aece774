"""The results as tables: all of them, and the README's part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.aims import aims
from bench.tables import attacks, details, feed, growth, markdown, shown, spread, targets, ways

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- from bench/results -->\n", "<!-- end -->"

Found = dict[str, Any]


def table(found: Found) -> str:
    """All results, as a page of Markdown."""
    parts = [
        f"# What `{found['command']}` measured\n\n{_conditions(found)}",
        "## Aims\n\n" + _aims(found),
        "## Cold search, in seconds\n\n" + _cold(found),
        "## First match of a stream, in seconds\n\n" + _stream(found),
        "## Warm search, a new pattern\n\n" + _warm(found),
        "## Warm search and a plain loop over SQLite, in seconds\n\n" + growth(found),
        "## Every match, with context\n\n" + details(found),
        "## Many users, in seconds\n\n" + targets(found),
        "## Sources of contents, while the raw host refuses\n\n" + ways(found),
        "## Feed\n\n" + feed(found),
        "## Bounds under attack\n\n" + _bounds(found),
        "## One file\n\n" + _files(found),
        "## Concurrent clients, warm\n\n" + _load(found),
        "## Matching, compared with `re`\n\n" + _patterns(found),
    ]
    return "\n\n".join(parts) + "\n"


def _bounds(found: Found) -> str:
    words = (
        "p50 / p99 / max, each request on a connection of its own. Attackers and those who look on"
        " are processes of their own on the same cores, which their processor time is taken from."
        " All attacks, beside version 0.1: [attacks.md](attacks.md)."
    )
    return f"{attacks(found['bounds'])}\n\n{words}"


def readme_with(text: str, found: Found) -> str:
    """The README with these results between its two markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + summary(found) + END + after


def summary(found: Found) -> str:
    """The README's part of the results."""
    cold = {row["gists"]: row for row in found["cold"]}
    rows = [_cold_row(found, cold[gists]) for gists in sorted(cold)]
    warm = next(
        row
        for row in found["warm"]
        if (row["store"], row["state"]) == ("embedded", "within the TTL")
    )
    words = (
        f"A new pattern over {found['conditions']['plan']['warm_gists']:,} gists that are cached"
        f" takes {shown(warm['seconds'])} s and no request to GitHub. Twenty everyday patterns over"
        f" source text are searched {found['patterns']['all_files']['geometric_mean']:.1f} times as"
        " fast as by Python's `re` (geometric mean)."
    )
    return f"{markdown(_cold_head(), rows)}\n\n{words}\n\n{_missed(found)}\n"


def _missed(found: Found) -> str:
    """The missed aims and where they were measured, in sentences."""
    all_of_them = aims(found)
    missed: dict[str, list[str]] = {}
    for aim in all_of_them:
        if not aim.met:
            missed.setdefault(f"{aim.what}: {aim.measured}", []).append(aim.wanted)
    machine = found["machine"]
    ours = next(iter(machine["versions"].values()))
    where = (
        f"Measured with gistapi {ours} on {machine['cores']} cores"
        " against a GitHub on the same machine."
    )
    if not missed:
        return f"{where} All {len(all_of_them)} aims are met."
    count = sum(map(len, missed.values()))
    listed = "; ".join(f"{what} ({', '.join(wanted)})" for what, wanted in missed.items())
    return f"{where} {count} of {len(all_of_them)} aims are missed: {listed}."


def _conditions(found: Found) -> str:
    machine, here = found["machine"], found["conditions"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB,"
        f" {machine['system']}, Python {machine['python']}; {versions}. It took"
        f" {found['took_seconds']} s.\n\n"
        f"GitHub is the tests' fake one on the same machine: {here['api_ms']} ms before each answer"
        f" of the API, {here['raw_ms']} ms before each file, {here['bytes_per_second'] / 1e6:.0f}"
        f" MB/s for each answer; {here['files_per_gist']} files a gist,"
        f" {here['file_bytes']:,} bytes each, on average. The connections are without TLS."
        f" Each reads {here['concurrency']} files at once, except for the naive solution: one after"
        " another. Figures are medians, with minimum and maximum in brackets. The bound is"
        " `max(pages * API, API + files * raw / concurrency)`."
    )


def _aims(found: Found) -> str:
    rows = [
        [aim.what, aim.wanted, aim.measured, "yes" if aim.met else "**no**"] for aim in aims(found)
    ]
    return markdown(["aim", "wanted", "measured", "met"], rows)


def _cold_head() -> list[str]:
    return [
        "gists",
        "bound",
        "gistapi",
        "16 threads",
        "one file after another",
        "`git clone` and ripgrep",
    ]


def _cold_row(found: Found, row: Found) -> list[str]:
    clone = found["clone"]
    cloned = (
        f"no {clone['missing']}"
        if "missing" in clone
        else f"≈ {clone['seconds_per_gist']['median'] * row['gists']:.3g}"
    )
    return [
        f"{row['gists']:,}",
        f"{row['bound_seconds']:.2f}",
        f"**{shown(row['nothing_seconds'])}**",
        shown(row.get("threads_seconds")),
        shown(row.get("one_by_one_seconds")),
        cloned,
    ]


def _cold(found: Found) -> str:
    rows = [_cold_row(found, row) for row in found["cold"]]
    more = [
        [
            f"{row['gists']:,}",
            spread(row["nothing_seconds"]),
            spread(row["nothing_over_bound"]),
            spread(row["least_over_bound"]),
            spread(row["all_seconds"]),
            spread(row["cpu_ms_per_file"]),
            f"{row['api_requests']} + {row['files']:,}",
            f"{row['github_bytes'] / 1e6:.2f}",
            spread(row["peak_mib"]),
        ]
        for row in found["cold"]
    ]
    head = ["gists", "nothing matches", "times the bound", "sockets alone, times the bound"]
    head += ["all match", "CPU, ms a file"]
    head += ["requests (API + files)", "MB from GitHub", "peak PSS, MiB"]
    clone = found["clone"]
    words = (
        f"`git clone`: {clone['missing']} is not installed here."
        if "missing" in clone
        else f"`git clone --depth 1` of {clone['gists']} gists and ripgrep over them took"
        f" {spread(clone['seconds_per_gist'])} s a gist; the rest of that column is extrapolated."
    )
    words += (
        " Sockets alone: 16 threads read every file and discard it, which is as close to the"
        " bound as this GitHub and this machine allow."
    )
    return f"{markdown(_cold_head(), rows)}\n\n{words}\n\n{markdown(head, more)}"


def _stream(found: Found) -> str:
    rows = [
        [
            {"all": "all"}.get(row["match_in"], f"the {row['match_in']}"),
            spread(row["first_seconds"]),
            spread(row["end_seconds"]),
            shown(row["plain_seconds"]),
        ]
        for row in found["stream"]
    ]
    gists = f"match in, of {found['stream'][0]['gists']:,} gists"
    return markdown([gists, "first match", "end", "plain answer"], rows)


def _warm(found: Found) -> str:
    rows = [
        [
            row["store"],
            row["state"],
            spread(row["seconds"]),
            spread(row["cpu_seconds"]),
            f"{row['api_requests']} + {row['raw_requests']:,}",
            f"{row['github_bytes']:,}",
        ]
        for row in found["warm"]
    ]
    gists = found["conditions"]["plan"]["warm_gists"]
    head = [
        "cache",
        f"{gists:,} gists",
        "seconds",
        "CPU seconds",
        "requests (API + files)",
        "bytes",
    ]
    return markdown(head, rows)


def _files(found: Found) -> str:
    rows = [
        [
            f"{row['bytes'] / 1e6:g} MB",
            spread(row["end_seconds"]),
            spread(row["start_seconds"]),
            f"{row['github_bytes']['start'] / 1e6:.3g} MB",
            spread(row["peak_mib"]),
            spread(row["naive_end_seconds"]),
            spread(row["naive_peak_mib"]),
        ]
        for row in found["files"]
    ]
    head = ["file", "needle at the end, s", "at the start, s", "read in that case"]
    return markdown([*head, "peak PSS, MiB", "naive, s", "naive, peak MiB"], rows)


def _load(found: Found) -> str:
    rows = [
        [
            f"{row['clients']}",
            f"{row['searches_per_second']:.1f}",
            " / ".join(f"{row['search_ms'][p]:.0f}" for p in ("p50", "p90", "p99")),
            " / ".join(f"{row['ping_ms'][p]:.1f}" for p in ("p50", "p90", "p99")),
            f"{row['cpu_ms_per_search']:.1f}",
            f"{row['peak_mib']:.0f}",
        ]
        for row in found["load"]
    ]
    gists = f"searches a second, of {found['load'][0]['gists']} gists each"
    head = ["clients", gists, "ms: p50 / p90 / p99", "`/ping`, ms: p50 / p90 / p99"]
    start = found["start"]
    words = (
        f"From the command to the first answer of `/readyz`: {spread(start['seconds'])} s."
        f" PSS when idle: {spread(start['idle_mib'])} MiB."
    )
    pair = found["instances"]
    words += (
        f" Two instances on this machine with one Valkey answer {pair['times']:.2f} times as many"
        " searches a second as one."
    )
    return f"{markdown([*head, 'CPU, ms a search', 'peak PSS, MiB'], rows)}\n\n{words}"


def _patterns(found: Found) -> str:
    all_of_it = found["patterns"]
    rows = [
        [
            f"{row['name']}",
            "`" + row["pattern"].replace("|", "\\|") + "`",
            f"{row['matching_files']}",
            f"{row['all_files']['ours_mb_per_second']['median']:.0f}",
            f"{row['all_files']['re_mb_per_second']['median']:.0f}",
            spread(row["all_files"]["times"]),
            spread(row["files_without_a_match"]["times"]),
        ]
        for row in all_of_it["rows"]
    ]
    head = ["pattern", "", "files that match", "MB/s", "`re`, MB/s", "times as fast"]
    mean = [
        f"{all_of_it[which]['geometric_mean']:.2f} (least {all_of_it[which]['least']:.2f})"
        for which in ("all_files", "files_without_a_match")
    ]
    rows.append(["**geometric mean**", "", "", "", "", *mean])
    words = f"{all_of_it['files']} files of Python's library, {all_of_it['bytes'] / 1e6:.1f} MB."
    return f"{words}\n\n{markdown([*head, 'in files without a match'], rows)}"
