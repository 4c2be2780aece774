"""A searcher over a fake GitHub, everything real in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from gistapi.aio.fairpool import FairPool

from gistapi.cache import Cache, open_cache
from gistapi.events import Event
from gistapi.github import Freshness, Github
from gistapi.matching import Matching
from gistapi.models import End, Incomplete, Match, Query, SearchEvent
from gistapi.search import Searcher
from gistapi.search.session import Bounds
from tests.fake_github import FakeGithub


@dataclass
class Answer:
    """What a search told, sorted by kind."""

    events: list[SearchEvent]

    @property
    def matches(self) -> list[str]:
        """The `html_url` of every match, in the order told."""
        return [event.gist.html_url for event in self.events if isinstance(event, Match)]

    @property
    def gaps(self) -> list[Incomplete]:
        """What could not be searched."""
        return [event for event in self.events if isinstance(event, Incomplete)]

    @property
    def end(self) -> End:
        """The last event."""
        end = self.events[-1]
        assert isinstance(end, End)
        return end


@dataclass
class Bench:
    """A searcher, what it stands on, and what was observed."""

    searcher: Searcher
    cache: Cache
    source: Github
    matching: Matching
    seen: list[Event] = field(default_factory=list)
    gaps: list[Incomplete] = field(default_factory=list)

    def search(self, query: Query, *, in_order: bool = True) -> Answer:
        """One whole search; its gaps are also kept in `gaps`."""
        answer = Answer(list(self.searcher.search(query, in_order=in_order)))
        self.gaps += answer.gaps
        return answer

    def follow(self, query: Query, *, in_order: bool = True) -> Iterator[Answer]:
        """Searches by `next` to the end."""
        while True:
            answer = self.search(query, in_order=in_order)
            yield answer
            if answer.end.next is None:
                return
            query = replace(query, cursor=answer.end.next)


@contextmanager
def bench(
    github: FakeGithub,
    *,
    deadline_seconds: float = 30,
    cache_url: str = "off",
    concurrency: int = 16,
    timeout_seconds: float = 5,
    max_searches: int = 8,
    pattern_timeout_seconds: float = 2,
    trust: Freshness = Freshness(60),  # noqa: B008 - frozen
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
) -> Iterator[Bench]:
    """A searcher of its own, ended afterwards."""
    seen: list[Event] = []
    cache = open_cache(cache_url, observe=seen.append)
    source = Github(
        api_url=github.api_url,
        content_hosts=(github.raw_host,),
        token=None,
        timeout_seconds=timeout_seconds,
        connections=64,
        store=cache,
        trust=trust,
        observe=seen.append,
    )
    matching = Matching(pattern_timeout_seconds=pattern_timeout_seconds, observe=seen.append)
    searcher = Searcher(
        source,
        cache,
        matching,
        FairPool(64, concurrency),
        deadline_seconds=deadline_seconds,
        max_searches=max_searches,
        bounds=bounds,
        observe=seen.append,
    )
    try:
        yield Bench(searcher, cache, source, matching, seen)
    finally:
        matching.close()
        source.close()
        cache.close()
