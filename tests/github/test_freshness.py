"""How long a stored listing is used without a request."""

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
def test_a_small_budget_extends_the_ttl(budget: Budget | None, trust: Trust) -> None:
    """Only without a token, where GitHub allows at most 60 requests an hour."""
    stretched = Freshness(60).trust(budget)
    assert stretched.seconds == pytest.approx(trust.seconds)
    assert stretched.deletions_seconds == pytest.approx(trust.deletions_seconds)


def test_a_longer_setting_is_not_shortened() -> None:
    """A listing that may be an hour old may be so whatever the budget is."""
    spent = Budget(60, 0, 3600)
    assert Freshness(3600, 0, 7200).trust(spent) == Trust(3600, 7200)


def test_a_ttl_of_zero_requests_every_time() -> None:
    """GitHub is asked for each search."""
    assert Freshness(0, 0, 0).trust(Budget(60, 0, 3600)) == Trust(0, 0)
