"""The largest answers at once: small to show that it runs, at its full size in the night."""

from __future__ import annotations

import os

import pytest

from bench import answers


def test_two_large_answers_at_once() -> None:
    """Both come whole, in the memory of few."""
    assert answers.main(["--kinds", "csv", "--text", "ascii", "--searches", "2"]) == 0


@pytest.mark.skipif(
    os.environ.get("HYPOTHESIS_PROFILE") != "nightly",
    reason="`make nightly` runs 64 searches of each kind with the largest answers",
)
@pytest.mark.parametrize("kind", list(answers.ACCEPT))
def test_sixty_four_of_the_largest_answers_fit_into_memory(kind: str) -> None:
    """Every search is answered, and the service stays below 400 MiB."""
    assert answers.main(["--kinds", kind, "--text", "wide", "--context", "1"]) == 0
