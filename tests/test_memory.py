"""Huge files in bounded memory: measured on the service's own processes."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.fake_github import FakeGithub, Repeated
from tests.serving import Serving, serving

MIB = 2**20
SIZE = 40 * MIB


def memory_bytes(service: Serving) -> int:
    """The proportional set size of all processes of a service (proc(5), smaps_rollup)."""
    total = 0
    for pid in service.look():
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        total += sum(
            int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")
        )
    return total * 1024


def test_eight_huge_files_at_once_fit_into_bounded_memory(github: FakeGithub) -> None:
    """Wrong bytes without a line end, each three when decoded: every window is full."""
    user = github.add_user("octocat")
    for _ in range(8):
        user.add_gist({"a": Repeated(b"\xff" * 65_536, SIZE, {SIZE - 6: b"needle"})})
    github.add_user("hubot").add_gist({"a": "hay"})
    with serving(github, cache_url="off") as service:
        assert service.search("x", username="hubot").json()["status"] == "success"
        idle = peak = memory_bytes(service)
        done = threading.Event()
        answers: list[int] = []

        def search() -> None:
            answers.append(len(service.search("needle", timeout=90).json()["matches"]))
            done.set()

        searching = threading.Thread(target=search)
        searching.start()
        while not done.wait(0.02):
            peak = max(peak, memory_bytes(service))
        searching.join()
    assert answers == [8]
    assert peak - idle < 160 * MIB
