"""A searcher of a fake GitHub, with real parts in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from gistapi.aio.limiter import FairLimiter
from gistapi.aio.portal import Portal
from gistapi.app import Service
from gistapi.cache import Cache, open_cache
from gistapi.events import Event
from gistapi.github import Freshness, Github
from gistapi.matching import Matching
from gistapi.models import End, Incomplete, Match, Query, SearchEvent
from gistapi.search import SearchBounds, Searcher
from gistapi.search.stop import Stop
from tests.fake_github import FakeGithub


@dataclass
class Answer:
    """The events of a search, by kind."""

    events: list[SearchEvent]

    @property
    def matches(self) -> list[str]:
        """The `html_url` of every match, in the order of the listing."""
        found = [event for event in self.events if isinstance(event, Match)]
        return [match.gist.html_url for match in sorted(found, key=lambda match: match.number)]

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


Expires = Callable[[Answer], bool]


@dataclass
class Bench:
    """A searcher with its parts, and the events it emitted."""

    service: Service
    source: Github
    seen: list[Event] = field(default_factory=list)
    gaps: list[Incomplete] = field(default_factory=list)

    @property
    def searcher(self) -> Searcher:
        """The searcher under test."""
        return self.service.searcher

    @property
    def cache(self) -> Cache:
        """Its cache of contents."""
        return self.service.cache

    def search(self, query: Query, *, expires: Expires | None = None) -> Answer:
        """Run one whole search; what is incomplete is also added to `gaps`.

        Its deadline passes as soon as `expires` holds for what it has sent.
        """
        answer = Answer([])
        for event in self.searcher.search(query):
            answer.events.append(event)
            if expires is not None and expires(answer):
                self.expire()
        self.gaps += answer.gaps
        return answer

    def expire(self) -> None:
        """End the deadline of every search in progress now."""
        for session in list(self.searcher._sessions):
            self.service.portal.loop.call_soon_threadsafe(session.stop, Stop.deadline())

    def follow(self, query: Query, *, expires: Expires | None = None) -> Iterator[Answer]:
        """Search by `next` to the end."""
        while True:
            answer = self.search(query, expires=expires)
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
    token: str | None = None,
    freshness: Freshness = Freshness(60),  # noqa: B008 - frozen
    bounds: SearchBounds = SearchBounds(),  # noqa: B008 - frozen
) -> Iterator[Bench]:
    """A searcher, closed afterwards; by default no time limit is reached."""
    seen: list[Event] = []
    cache = open_cache(cache_url, observe=seen.append)
    source = Github(
        api_url=github.api_url,
        content_hosts=(github.raw_host,),
        token=token,
        timeout_seconds=timeout_seconds,
        concurrency_total=64,
        store=cache,
        freshness=freshness,
        observe=seen.append,
    )
    matching = Matching(pattern_timeout_seconds=pattern_timeout_seconds, observe=seen.append)
    portal = Portal()
    searcher = Searcher(
        source,
        cache,
        matching,
        FairLimiter(64, concurrency),
        portal,
        deadline_seconds=deadline_seconds,
        max_searches=max_searches,
        bounds=bounds,
        observe=seen.append,
    )
    service = Service(portal, searcher, matching, cache, source)
    try:
        yield Bench(service, source, seen)
    finally:
        service.close()
