"""The number of matches that a search holds in memory although no answer shows them."""

from __future__ import annotations

from gistapi.models import GistFile, Hit, Hits
from gistapi.search.batches import batches
from gistapi.search.cursor import Place
from gistapi.search.gist_state import GistState
from gistapi.search.reorder import Slot
from tests.search.test_reorder import gist_of


def test_a_gist_of_many_matching_files_holds_few_matches() -> None:
    """300 files have 1,000 matches each, of which at most 1,000 are shown."""
    hit = Hit(1, 1, 1, 2, "a", 0, 1, cut=False)
    files = tuple(GistFile(f"{number}", None, 1000, None, None) for number in range(300))
    state = GistState(Slot(gist_of(1, 0), Place(), 0), files, wants_all=True)
    for index in reversed(range(300)):
        state.note(index, Hits((hit,) * 1000, more=False))
        kept = sum(len(found.hits) for found in state.results.values() if isinstance(found, Hits))
        assert kept <= 3300
    match = state.outcome().match
    assert match is not None
    assert [(found.file, len(found.hits)) for found in match.files] == [(files[0], 1000)]
    assert match.has_more


def test_cached_files_are_searched_together_within_the_memory_budget() -> None:
    """300 files of 2 kB with 1,000 matches each would take 150 MB if searched at once."""
    files = tuple(GistFile("a", None, 2000, None, f"{number}") for number in range(300))
    states = [GistState(Slot(gist_of(1, 0), Place(), 0), files)]
    assert max(len(batch) for batch, _ in batches(states, 1000, 0)) == 5
    assert max(len(batch) for batch, _ in batches(states, None, 0)) == 300
