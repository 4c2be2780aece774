"""A short run of bench.abuse, which shows that it works."""

from __future__ import annotations

import json
import sys

from tests.serving import ROOT, environment
from tests.serving import run as run_command


def test_a_short_run_has_every_kind_of_abuse_and_no_wrong_answer() -> None:
    """Good and abusive clients get answers that follow the contract, and the service survives."""
    command = (sys.executable, "-m", "bench.abuse", "--seconds", "4", "--rate", "40")
    done = run_command(*command, "--clients", "6", environ=environment(), cwd=ROOT, timeout=550)
    report = json.loads(done.stdout.rpartition("}")[0] + "}")
    kinds = {" ".join(name.split()[:2]) for name in report["answers"]}
    assert kinds >= {"good 200", "abuser 400", "abuser 413", "abuser half"}
    assert report["wrong"] == []
    assert report["alive"]
    assert len(report["memory_mib"]) >= 3
