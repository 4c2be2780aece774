"""The results as plots: by number of gists, by size of a file, by number of clients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

Found = dict[str, Any]

PAPER = {"light": "#ffffff", "dark": "#0d1117"}
INK = {"light": "#1f2328", "dark": "#e6edf3"}
FAINT = {"light": "#d1d9e0", "dark": "#3d444d"}
OURS = {"light": "#0969da", "dark": "#4493f8"}
BOUND = {"light": "#59636e", "dark": "#9198a1"}
OTHERS = {
    "light": ("#bc4c00", "#8250df", "#1a7f37"),
    "dark": ("#f0883e", "#ab7df8", "#3fb950"),
}
"""The colours of GitHub's pages in each theme."""


def draw(found: Found, folder: Path) -> None:
    """Write `plot-light.svg` and `plot-dark.svg`, byte for byte the same for the same results."""
    for theme, ink in INK.items():
        style = {
            "svg.fonttype": "none",  # text stays text
            "svg.hashsalt": "gistapi",
            "font.size": 10,
            "text.color": ink,
            "axes.labelcolor": ink,
            "axes.edgecolor": FAINT[theme],
            "axes.facecolor": PAPER[theme],
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "grid.color": FAINT[theme],
            "grid.linewidth": 0.6,
            "xtick.color": ink,
            "ytick.color": ink,
            "legend.frameon": False,
            "lines.linewidth": 2,
            "lines.marker": "o",
            "lines.markersize": 5,
        }
        with mpl.rc_context(style):
            figure = Figure(figsize=(11, 7.4), layout="constrained", facecolor=PAPER[theme])
            gists, files, clients, patterns = figure.subplots(2, 2).flat
            _gists(gists, found, theme)
            _files(files, found, theme)
            _clients(clients, found, theme)
            _patterns(patterns, found, theme)
            figure.savefig(folder / f"plot-{theme}.svg", metadata={"Date": None, "Creator": None})


def _gists(axes: Axes, found: Found, theme: str) -> None:
    rows = found["cold"]
    series = {
        "one file after another": ("one_by_one_seconds", OTHERS[theme][0]),
        "16 threads": ("threads_seconds", OTHERS[theme][1]),
        "gistapi": ("nothing_seconds", OURS[theme]),
    }
    for label, (name, colour) in series.items():
        here = [row for row in rows if name in row]
        gists = [row["gists"] for row in here]
        axes.plot(gists, [row[name]["median"] for row in here], color=colour, label=label)
    if "missing" not in found["clone"]:
        each = found["clone"]["seconds_per_gist"]["median"]
        axes.plot(
            [row["gists"] for row in rows],
            [row["gists"] * each for row in rows],
            color=OTHERS[theme][2],
            linestyle="--",
            marker="",
            label="git clone and ripgrep (multiplied)",
        )
    axes.plot(
        [row["gists"] for row in rows],
        [row["bound_seconds"] for row in rows],
        color=BOUND[theme],
        linestyle=":",
        marker="",
        label="the bound",
    )
    _dress(axes, "Cold search, nothing known", "gists", "seconds")
    axes.set_xticks([row["gists"] for row in rows])


def _files(axes: Axes, found: Found, theme: str) -> None:
    rows = found["files"]
    sizes = [row["bytes"] for row in rows]
    series = {
        "naive, needle at the end": ("naive_end_seconds", OTHERS[theme][0], "-"),
        "gistapi, at the end": ("end_seconds", OURS[theme], "-"),
        "gistapi, at the start": ("start_seconds", OURS[theme], "--"),
    }
    for label, (name, colour, style) in series.items():
        values = [row[name]["median"] for row in rows]
        axes.plot(sizes, values, color=colour, linestyle=style, label=label)
    _dress(axes, "One file", "bytes", "seconds")
    axes.xaxis.set_major_formatter(FuncFormatter(_bytes))


def _clients(axes: Axes, found: Found, theme: str) -> None:
    rows = found["load"]
    clients = [row["clients"] for row in rows]
    series = {
        "a warm search, p99": ("search_ms", "p99", OURS[theme], "--"),
        "a warm search, p50": ("search_ms", "p50", OURS[theme], "-"),
        "/ping meanwhile, p99": ("ping_ms", "p99", OTHERS[theme][0], "--"),
        "/ping meanwhile, p50": ("ping_ms", "p50", OTHERS[theme][0], "-"),
    }
    for label, (name, share, colour, style) in series.items():
        values = [row[name][share] for row in rows]
        axes.plot(clients, values, color=colour, linestyle=style, label=label)
    rates = ", ".join(f"{row['searches_per_second']:.0f}" for row in rows)
    title = f"Clients at once ({rates} searches a second)"
    _dress(axes, title, "clients", "milliseconds")
    axes.set_xticks(clients)


def _patterns(axes: Axes, found: Found, theme: str) -> None:
    rows = sorted(found["patterns"]["rows"], key=lambda row: row["all_files"]["times"]["median"])
    times = [row["all_files"]["times"]["median"] for row in rows]
    bars = axes.barh([row["name"] for row in rows], times, color=OURS[theme], height=0.7)
    axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=7)
    axes.axvline(1, color=OTHERS[theme][0], linewidth=1.2, marker="")
    axes.tick_params(axis="y", labelsize=7.5, length=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    mean = found["patterns"]["all_files"]["geometric_mean"]
    axes.set_title(f"Matching, times as fast as re (mean {mean:.1f})")


def _dress(axes: Axes, title: str, across: str, up: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(_plain))
        axis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.grid(visible=True, which="major")
    axes.legend(fontsize=8.5)


def _plain(value: float, _place: int) -> str:
    return f"{value:,g}"


def _bytes(value: float, _place: int) -> str:
    unit = next((unit for unit in ((1e6, " MB"), (1e3, " kB")) if value >= unit[0]), (1, " B"))
    return f"{value / unit[0]:g}{unit[1]}"
