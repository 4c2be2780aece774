"""How much is measured: everything, a quick run, or the smallest run, for tests."""

from __future__ import annotations

from dataclasses import dataclass

FEW = 1
"""Rounds of slow measurements."""


@dataclass(frozen=True)
class Plan:
    """The sizes, rounds and seconds of a run."""

    rounds: int
    cold_gists: tuple[int, ...]
    threads_gists: int
    """Up to this number of gists are also read by 16 threads …"""
    one_by_one_gists: int
    """… up to this one by one thread, `FEW` rounds of it beyond 100 gists …"""
    clone_gists: int
    """… and this number is cloned."""
    stream_gists: int
    warm_gists: int
    warm_large_gists: int
    """Compared with `warm_gists`, to see that the time grows no faster than their number."""
    warm_readings: int
    target_users: int
    stores: tuple[str, ...]
    file_bytes: tuple[int, ...]
    clients: tuple[int, ...]
    load_seconds: float
    load_gists: int
    starts: int
    text_bytes: int
    """Source text for the patterns …"""
    passes_seconds: float
    """… and how long they are timed."""
    idle_seconds: float
    ways_gists: int
    """Gists of two files each; few, since the raw host then allows 10 requests a second."""
    attacks: tuple[str, ...]
    attack_seconds: float


FULL = Plan(
    rounds=2,
    cold_gists=(100, 1000),
    threads_gists=1000,
    one_by_one_gists=100,
    clone_gists=100,
    stream_gists=300,
    warm_gists=1000,
    warm_large_gists=10_000,
    warm_readings=10,
    target_users=50,
    stores=("embedded", "Valkey"),
    file_bytes=(1000, 100_000, 1_000_000, 10_000_000, 100_000_000),
    clients=(1, 16),
    load_seconds=5,
    load_gists=100,
    starts=3,
    text_bytes=4_000_000,
    passes_seconds=0.05,
    idle_seconds=2,
    ways_gists=200,
    attacks=("nothing", "globs", "left", "half bodies", "contents"),
    attack_seconds=4,
)
QUICK = Plan(
    rounds=1,
    cold_gists=(10, 50),
    threads_gists=50,
    one_by_one_gists=10,
    clone_gists=5,
    stream_gists=30,
    warm_gists=100,
    warm_large_gists=500,
    warm_readings=3,
    target_users=3,
    stores=("embedded",),
    file_bytes=(10_000, 10_000_000),
    clients=(1, 8),
    load_seconds=0.7,
    load_gists=30,
    starts=1,
    text_bytes=250_000,
    passes_seconds=0.02,
    idle_seconds=0.5,
    ways_gists=10,
    attacks=("nothing", "left"),
    attack_seconds=1,
)
TINY = Plan(
    rounds=1,
    cold_gists=(2, 5),
    threads_gists=5,
    one_by_one_gists=2,
    clone_gists=1,
    stream_gists=5,
    warm_gists=3,
    warm_large_gists=6,
    warm_readings=1,
    target_users=2,
    stores=("embedded",),
    file_bytes=(1000, 50_000_000),
    clients=(1, 2),
    load_seconds=0.2,
    load_gists=2,
    starts=1,
    text_bytes=50_000,
    passes_seconds=0,
    idle_seconds=0.1,
    ways_gists=5,
    attacks=("nothing",),
    attack_seconds=0.5,
)
