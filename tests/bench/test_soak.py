"""A short run of bench.soak, which shows that it works."""

from __future__ import annotations

import json
import sys

from tests.serving import ROOT, environment
from tests.serving import run as run_command


def test_a_short_soak_has_every_kind_of_client_and_leaves_nothing() -> None:
    """All clients get answers that follow the contract, and all resources are released."""
    command = (sys.executable, "-m", "bench.soak", "--seconds", "8", "--clients", "4")
    done = run_command(*command, environ=environment(), cwd=ROOT, timeout=550)
    assert done.returncode == 0, done.stdout + done.stderr
    table, _, rest = done.stdout.partition("{")
    report = json.loads("{" + rest.rpartition("}")[0] + "}")
    kinds = {name.partition(" ")[0] for name in report["answers"]}
    assert kinds >= {"plain", "stream", "page", "left"}
    assert report["wrong"] == []
    assert report["left"]["gistapi_searches_in_progress"] == 0
    assert len(table.splitlines()) >= 4
    assert report["ping_ms"]["p50"] > 0
