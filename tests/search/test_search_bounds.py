"""Bounds on what one search may read: beyond them the answer is partial and has a cursor."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping

import pytest

from gistapi.models import Gist, GistFile, Query, Searched
from gistapi.search import SearchBounds
from gistapi.search.reader import Reader, Resources
from tests.fake_github import FakeGithub, Fault
from tests.search.searching import Answer, bench
from tests.waiting import until

NEEDLE = Query("octocat", "needle")
MIB = 2**20


def reasons(answer: Answer) -> list[tuple[str | None, str]]:
    """Each incomplete gist, with its reason."""
    return [(gap.gist, gap.reason) for gap in answer.gaps]


@pytest.mark.parametrize("cache_url", ["off", "memory:"])
@pytest.mark.parametrize(
    "bounds", [SearchBounds(gists=100), SearchBounds(files=250), SearchBounds(size_bytes=MIB)]
)
def test_following_next_gives_every_match_once(
    github: FakeGithub, bounds: SearchBounds, cache_url: str
) -> None:
    """Each answer but the last is partial."""
    user = github.add_user("octocat")
    for number in range(230):
        user.add_gist({f"{name}{number}": "needle" if number % 7 else "hay" for name in "ab"})
        if bounds.size_bytes == MIB:
            user.add_gist({f"c{number}": f"{number}" * 8000})
    expected = user.matching("needle")
    with bench(github, cache_url=cache_url, bounds=bounds) as ours:
        answers = list(ours.follow(NEEDLE))
    assert len(answers) > 1
    for answer in answers[:-1]:
        assert reasons(answer) == [(None, "search_too_large")]
        assert answer.end.partial
    assert answers[-1].gaps == []
    found = [url for answer in answers for url in answer.matches]
    assert sorted(found) == sorted(expected)


def test_a_search_that_ends_at_its_bound_is_complete(github: FakeGithub) -> None:
    """Reading exactly as much as allowed is not too much."""
    user = github.add_user("octocat")
    for number in range(70):
        user.add_gist({"a": f"needle {number}"})
    with bench(github, bounds=SearchBounds(gists=70)) as ours:
        answers = list(ours.follow(NEEDLE))
    found = [url for answer in answers for url in answer.matches]
    assert sorted(found) == sorted(user.matching("needle"))
    assert len(answers) <= 2
    assert not answers[-1].end.partial


def test_contents_in_memory_are_counted(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From GitHub or the cache, they are held by the memory budget of all searches."""
    size = 1000
    user = github.add_user("octocat")
    for number in range(20):
        user.add_gist({"a.txt": f"{number:{size}}"})
    missing: list[int] = []

    def held(shared: Resources) -> int:
        return shared.budget.held + shared.small_budget.held

    read, kept = Reader._content, Reader.kept

    async def reading(self: Reader, gist: Gist, file: GistFile) -> bytes:
        content = await read(self, gist, file)
        missing.append(max(0, len(content) - held(self.shared)))
        return content

    def keeping(self: Reader, blobs: Mapping[str, int | None]) -> dict[str, bytes]:
        found = kept(self, dict(blobs))
        contents = sum(map(len, found.values()))
        missing.append(max(0, contents - held(self.shared)))
        return found

    monkeypatch.setattr(Reader, "_content", reading)
    monkeypatch.setattr(Reader, "kept", keeping)
    with bench(github, cache_url="memory:") as ours:
        for _ in range(2):
            assert ours.search(NEEDLE).end.searched == Searched(20, 20, 20 * size)
        assert held(ours.searcher._shared) == 0
    assert len(missing) >= 20
    assert set(missing) == {0}


def test_a_file_in_hand_has_a_place(github: FakeGithub) -> None:
    """Thirty gists of 30 files have no more tasks than there are places."""
    user, gate = github.add_user("octocat"), threading.Event()
    for number in range(30):
        user.add_gist({f"{name}-{number}": f"hay {name} {number}" for name in range(30)})
    github.faults.inject(Fault(held=gate), origin="raw")
    with bench(github) as ours:
        searching = threading.Thread(target=ours.search, args=(NEEDLE,))
        searching.start()
        raw = github.traffic["raw"]
        until(lambda: raw.peak_in_flight >= 16)
        names = [task.get_name() for task in asyncio.all_tasks(ours.service.portal.loop)]
        gate.set()
        searching.join()
    assert len([name for name in names if name.startswith("file ")]) <= 32
