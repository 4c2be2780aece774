"""A searcher over a fake GitHub, everything real in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from gistapi.cache import Cache, open_cache
from gistapi.fairpool import FairPool
from gistapi.github import Github, Trust
from gistapi.matching import Matching
from gistapi.models import End, Gap, Match, Query, SearchEvent
from gistapi.observe import Event
from gistapi.run import Bounds
from gistapi.search import Searcher
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
    def gaps(self) -> list[Gap]:
        """What could not be searched."""
        return [event for event in self.events if isinstance(event, Gap)]

    @property
    def end(self) -> End:
        """The last event."""
        end = self.events[-1]
        assert isinstance(end, End)
        return end


Expires = Callable[[Answer], bool]


@dataclass
class Bench:
    """A searcher, what it stands on, and what was observed."""

    searcher: Searcher
    cache: Cache
    source: Github
    matching: Matching
    seen: list[Event] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def search(
        self, query: Query, *, in_order: bool = True, expires: Expires | None = None
    ) -> Answer:
        """One whole search; its gaps are also kept in `gaps`.

        Its deadline passes as soon as `expires` holds for what it has told.
        """
        answer = Answer([])
        for event in self.searcher.search(query, in_order=in_order):
            answer.events.append(event)
            if expires is not None and expires(answer):
                self.expire()
        self.gaps += answer.gaps
        return answer

    def expire(self) -> None:
        """Have the deadline of every search in progress pass now."""
        for run in list(self.searcher._running):
            run.deadline.ends_at = time.monotonic()

    def follow(
        self, query: Query, *, in_order: bool = True, expires: Expires | None = None
    ) -> Iterator[Answer]:
        """Searches by `next` to the end."""
        while True:
            answer = self.search(query, in_order=in_order, expires=expires)
            yield answer
            if answer.end.next is None:
                return
            query = replace(query, cursor=answer.end.next)


@contextmanager
def bench(
    github: FakeGithub,
    *,
    deadline_seconds: float = 100,
    cache_url: str = "off",
    concurrency: int = 16,
    timeout_seconds: float = 100,
    max_searches: int = 8,
    pattern_timeout_seconds: float = 30,
    trust: Trust = Trust(60),  # noqa: B008 - frozen
    bounds: Bounds = Bounds(),  # noqa: B008 - frozen
) -> Iterator[Bench]:
    """A searcher of its own, ended afterwards; by default no time limit of its passes."""
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
