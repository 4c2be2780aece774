"""How long a known list is trusted."""

from __future__ import annotations

import pytest

from gistapi.github.api import Budget
from gistapi.github.freshness import Freshness, Trust


@pytest.mark.parametrize(
    ("budget", "trust"),
    [
        (None, Trust(60, 600)),
        (Budget(60, 60, 3600), Trust(60, 600)),
        (Budget(60, 50, 3600), Trust(330, 1200)),
        (Budget(60, 40, 3600), Trust(600, 1800)),
        (Budget(60, 0, 3600), Trust(600, 1800)),
        (Budget(60, 99, 3600), Trust(60, 600)),
        (Budget(0, 0, 3600), Trust(60, 600)),
        (Budget(5000, 10, 3600), Trust(60, 600)),
    ],
)
def test_trust_stretches_as_the_budget_shrinks(budget: Budget | None, trust: Trust) -> None:
    """Only without a token: where GitHub allows no more than 60 requests an hour."""
    stretched = Freshness(60).trust(budget)
    assert stretched.seconds == pytest.approx(trust.seconds)
    assert stretched.deletions_seconds == pytest.approx(trust.deletions_seconds)


def test_what_is_set_longer_is_not_shortened() -> None:
    """A list that may be an hour old may be so whatever is left."""
    spent = Budget(60, 0, 3600)
    assert Freshness(3600, 0, 7200).trust(spent) == Trust(3600, 7200)


def test_nothing_is_trusted_where_the_time_is_none() -> None:
    """With 0 GitHub is asked each time."""
    assert Freshness(0, 0, 0).trust(Budget(60, 0, 3600)) == Trust(0, 0)
