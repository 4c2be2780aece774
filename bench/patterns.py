"""Twenty common patterns over real source text: this service's matching and Python's `re`.

The text is the standard library of the running Python. Both are given a file's bytes and return
whether and where it first matches; patterns are compiled before.

Run by itself: python -m bench --only patterns
"""

from __future__ import annotations

import asyncio
import re
import statistics
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.measuring import note, summary
from bench.plan import Plan
from gistapi.matching import Matching, compile_pattern
from gistapi.models import Flags, Hits

PATTERNS = {
    "a word": "urlopen",
    "a phrase": "import requests",
    "a word, in any case": r"(?i)\bdeprecated\b",
    "TODOs": r"\b(?:TODO|FIXME|XXX)\b",
    "imports": r"(?m)^\s*(?:from|import)\s+asyncio\b",
    "a function": r"def\s+main\s*\(",
    "any async function": r"(?m)^\s*async\s+def\s+\w+\(",
    "AWS keys": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub tokens": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{82})\b",
    "private keys": r"-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----",
    "JSON web tokens": r"\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]+",
    "passwords": r"(?i)\b(?:password|passwd|secret|api_?key)\b\s*[:=]\s*['\"][^'\"]{4,}",
    "e-mail addresses": r"[\w.+-]+@[\w-]+\.[\w.-]+",
    "URLs": r"https?://[^\s\"'<>)]+",
    "IP addresses": r"\b(?:\d{1,3}\.){3}\d{1,3}\b",
    "UUIDs": r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b",
    "dates": r"\b(?:19|20)\d\d-[01]\d-[0-3]\d\b",
    "phone numbers": r"\+\d{1,3}[ -]?\(?\d{2,4}\)?[ -]\d{3,4}[ -]?\d{3,4}",
    "a call with a keyword": r"subprocess\.\w+\([^)]*shell\s*=\s*True",
    "a doubled word": r"(?i)\b(the|a|is|of|to)\s+\1\b",
}
"""The last one needs a backreference, so Python's own engine in a worker process."""


def patterns(plan: Plan) -> dict[str, Any]:
    """A row per pattern, how many times as fast as `re` it is, and the means."""
    contents = source_text(plan.text_bytes)
    size = sum(map(len, contents))
    with asyncio.Runner() as runner:
        matching = Matching()
        runner.run(matching.start())
        try:
            rows = [
                _row(runner, matching, name, pattern, contents, plan)
                for name, pattern in PATTERNS.items()
            ]
        finally:
            runner.run(matching.close())
    found: dict[str, Any] = {"files": len(contents), "bytes": size, "rows": rows}
    for which in ("all_files", "files_without_a_match"):
        ratios = [row[which]["times"]["median"] for row in rows]
        found[which] = {"geometric_mean": statistics.geometric_mean(ratios), "least": min(ratios)}
    return found


def source_text(max_bytes: int) -> list[bytes]:
    """Files of the standard library, chosen evenly, of about this total size."""
    paths = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
    paths = [path for path in paths if "site-packages" not in path.parts]
    total = sum(path.stat().st_size for path in paths)
    step = max(1, round(total / max_bytes))
    return [path.read_bytes() for path in paths[::step]]


def _row(
    runner: asyncio.Runner,
    matching: Matching,
    name: str,
    source: str,
    contents: list[bytes],
    plan: Plan,
) -> dict[str, Any]:
    note(f"pattern: {name}")
    pattern, compiled = compile_pattern(source, Flags()), re.compile(source)

    def ours(texts: list[bytes]) -> list[bool]:
        found = runner.run(matching.matcher(pattern).search_many(texts))
        return [isinstance(hits, Hits) for hits in found]

    def theirs(texts: list[bytes]) -> list[bool]:
        return [compiled.search(text.decode("utf-8", "replace")) is not None for text in texts]

    matches = ours(contents)
    if matches != theirs(contents):
        raise SystemExit(f"{name}: not the same files match")
    without = [content for content, found in zip(contents, matches, strict=True) if not found]
    return {
        "name": name,
        "pattern": source,
        "matching_files": len(contents) - len(without),
        "all_files": _compared(ours, theirs, contents, plan),
        "files_without_a_match": _compared(ours, theirs, without, plan),
    }


def _compared(
    ours: Callable[[list[bytes]], object],
    theirs: Callable[[list[bytes]], object],
    contents: list[bytes],
    plan: Plan,
) -> dict[str, Any]:
    size = sum(map(len, contents)) / 1e6
    readings: dict[str, list[float]] = {"ours": [], "re": [], "times": []}
    for _ in range(plan.rounds):
        own = _seconds(ours, contents, plan.passes_seconds)
        other = _seconds(theirs, contents, plan.passes_seconds)
        readings["ours"].append(size / own)
        readings["re"].append(size / other)
        readings["times"].append(other / own)
    return {
        "ours_mb_per_second": summary(readings["ours"]),
        "re_mb_per_second": summary(readings["re"]),
        "times": summary(readings["times"]),
    }


def _seconds(
    search: Callable[[list[bytes]], object], contents: list[bytes], at_least: float
) -> float:
    """Seconds for one pass over the contents, averaged over as many as fit into the time."""
    passes, elapsed, began = 0, 0.0, time.perf_counter()
    while passes == 0 or elapsed < at_least:
        search(contents)
        passes += 1
        elapsed = time.perf_counter() - began
    return elapsed / passes
