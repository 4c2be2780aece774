"""The attacks of one stranger: a few to show that they work, all of them in the night."""

from __future__ import annotations

import os
from typing import Any

import pytest

from bench import attacks
from bench.attackers import ATTACKS
from bench.world import github

ROW: dict[str, Any] = {"alive": True, "wrong": [], "refused": 0, "peak_mib": 100.0, "kept": {}}
FEW_SECONDS = 1


@pytest.mark.parametrize(
    ("name", "answered"),
    [
        ("unknown", {"attacker 400 invalid_request"}),
        ("half bodies", {"attacker connected"}),
    ],
)
def test_a_short_attack_harms_nobody(name: str, answered: set[str]) -> None:
    """It gets what it deserves; the good caller is answered, and everything is given back."""
    with github() as world:
        attacks.populate(world, [name])
        row = attacks.measure(name, world, FEW_SECONDS)
    assert attacks.missed(row) == [], row
    assert set(row["answers"]) >= answered
    assert row["good"] > 0


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"alive": False}, "alive"),
        ({"wrong": ["500"]}, "as the contract"),
        ({"refused": 1}, "good caller answered"),
        ({"peak_mib": 400.0}, "memory below 400 MiB"),
        ({"kept": {"threads": 131}}, "all given back"),
    ],
)
def test_each_bound_can_be_missed(broken: dict[str, Any], why: str) -> None:
    """No bound depends on the speed of the machine."""
    assert attacks.missed(ROW) == []
    assert attacks.missed(ROW | broken) == [why]


@pytest.mark.skipif(
    os.environ.get("HYPOTHESIS_PROFILE") != "nightly",
    reason="`make nightly` runs every attack, some five minutes in all",
)
@pytest.mark.parametrize("name", list(ATTACKS))
def test_every_attack_keeps_the_bounds(name: str) -> None:
    """The table of these attacks is in bench/results/attacks.md."""
    assert attacks.main(["--only", name]) == 0
