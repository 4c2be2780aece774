"""Huge files in bounded memory: measured on the service's own processes."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.fake_github import FakeGithub, Repeated
from tests.serving import Serving, serving

MIB = 2**20
SIZE = 24 * MIB


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


def searched(
    service: Serving, pattern: str, username: str, **body: object
) -> tuple[int, list[str]]:
    """The most memory that a complete search used, and its matches."""
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.05):
            peak = max(peak, memory_bytes(service))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        answer = service.search(pattern, username=username, timeout=600, **body).json()
    finally:
        done.set()
        watching.join()
    assert answer["status"] == "success", answer["incomplete"]
    matches: list[str] = answer["matches"]
    return peak, matches


def test_eight_huge_files_at_once_fit_into_bounded_memory(github: FakeGithub) -> None:
    """Wrong bytes without a line end, each three bytes when decoded: every window is full."""
    user = github.add_user("octocat")
    for _ in range(8):
        user.add_gist({"a": Repeated(b"\xff" * 65_536, SIZE, {SIZE - 6: b"needle"})})
    github.add_user("hubot").add_gist({"a": "hay"})
    with serving(github, cache_url="off", search_deadline_seconds=600) as service:
        assert service.search("x", username="hubot").json()["status"] == "success"
        idle = memory_bytes(service)
        peak, found = searched(service, "needle", "octocat")
    assert len(found) == 8
    assert peak - idle < 160 * MIB


def test_many_gists_need_the_memory_of_their_list(github: FakeGithub) -> None:
    """Reading all their files (24 MB) takes what reading a few took, and the list."""
    github.add_user("few").generate(300, size_bytes=12_000)
    github.add_user("many").generate(1000, size_bytes=12_000)
    with serving(
        github, cache_url="off", github_token="ghp_t", search_deadline_seconds=600
    ) as service:
        searched(service, "no such word", "few")
        listed, _ = searched(service, "no such word", "many", files=["no such file"])
        read, found = searched(service, "no such word", "many")
    assert found == []
    assert (read - listed) / MIB < 12
