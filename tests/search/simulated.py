"""A session over simulated gists, on a loop with a simulated clock: minutes take no time.

GitHub is simulated by delays and failures in loop time; session, reader, matcher and cursor
are real. HTTP is tested elsewhere, with a real server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from gistapi.aio.executors import Threads
from gistapi.aio.growing import GrowingBudget
from gistapi.aio.limiter import FairLimiter, Lane
from gistapi.aio.portal import Outbox
from gistapi.aio.scope import Scope
from gistapi.errors import GistapiError, GoneError, UserNotFoundError
from gistapi.matching import Matching, Wanted, compile_pattern
from gistapi.models import (
    ClonedFile,
    End,
    Gist,
    GistFile,
    Incomplete,
    Match,
    Page,
    Query,
    SearchEvent,
    Target,
)
from gistapi.search import ANSWER_BYTES, MOST_ANSWER_BYTES
from gistapi.search import cursor as cursors
from gistapi.search.filters import Filter
from gistapi.search.reader import Reader, Resources
from gistapi.search.session import SearchBounds, Session
from gistapi.search.share import AnswerShare
from tests.aio.looping import run

T = TypeVar("T")

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
PAGE = 10
FOREVER = 1e9


class Inline(Threads):
    """Runs work at once: while a thread works, the simulated clock would pass it."""

    async def run(self, lane: Lane, work: Callable[[], T]) -> T:  # noqa: ARG002 - a signature
        """Run the work."""
        return work()


@dataclass
class File:
    """A file that takes `seconds` to read, or fails."""

    name: str = "a.txt"
    text: bytes = b"hay"
    seconds: float = 0.1
    error: GistapiError | None = None
    size_bytes: int | None = None


@dataclass
class Github:
    """Users and their gists, newest first; a `gistapi.search.reader.GistSource`.

    `page_seconds` is how long each page takes the first time; `on_page` is called before each;
    `age_seconds` is each page's age.
    """

    users: dict[str, list[tuple[Gist, list[File]]]] = field(default_factory=dict)
    page_seconds: float = 0.1
    age_seconds: float = 0
    organizations: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, GistapiError] = field(default_factory=dict)
    on_page: Callable[[int], None] = lambda _number: None
    asked: list[str] = field(default_factory=list)
    kept: set[tuple[str, int]] = field(default_factory=set)
    reading: int = 0
    most_reading: int = 0
    _count: int = 0

    def add(self, login: str, *files: File, second: int | None = None) -> Gist:
        """Add a gist, newer than all others unless `second` says when it was created."""
        self._count += 1
        gist_id = f"{self._count:032x}"
        created_at = NOON + timedelta(seconds=self._count if second is None else second)
        url = f"https://gist.github.com/{gist_id}"
        listed = tuple(
            GistFile(
                file.name,
                f"https://raw/{gist_id}/{file.name}",
                len(file.text) if file.size_bytes is None else file.size_bytes,
                None,
                None,
            )
            for file in files
        )
        gist = Gist(
            gist_id, url, None, created_at, created_at, listed, truncated=False, git_pull_url=None
        )
        gists = self.users.setdefault(login, [])
        gists.append((gist, [replace(file) for file in files]))
        gists.sort(key=lambda item: item[0].created_at, reverse=True)
        return gist

    async def pages(self, target: Target, scope: Scope) -> AsyncGenerator[Page]:
        """Yield pages of PAGE gists, as they are at that time."""
        del scope
        shown: set[str] = set()
        number = 0
        while True:
            number += 1
            self.asked.append(f"{target.name} page {number}")
            self.on_page(number)
            seconds = 0 if (target.name, number) in self.kept else self.page_seconds
            await asyncio.sleep(seconds)
            self.kept.add((target.name, number))
            if target.name in self.errors:
                raise self.errors[target.name]
            if target.name not in self.users:
                raise UserNotFoundError("GitHub has no such user.")
            left = [gist for gist, _ in self.users[target.name] if gist.id not in shown]
            shown.update(gist.id for gist in left[:PAGE])
            last = len(left) <= PAGE
            yield Page(tuple(left[:PAGE]), last, age_seconds=self.age_seconds)
            if len(left) <= PAGE:
                return

    async def members(self, organization: str, scope: Scope) -> AsyncGenerator[str]:
        """Yield an organization's members."""
        del scope
        await asyncio.sleep(self.page_seconds)
        if organization not in self.organizations:
            raise UserNotFoundError("GitHub has no such organization.")
        for login in self.organizations[organization]:
            yield login

    async def read(self, gist: Gist, file: GistFile, scope: Scope) -> bytes:
        """Wait for the file's time, holding a place."""
        found = self._file(gist, file)
        async with scope.lane.place():
            self.reading += 1
            self.most_reading = max(self.most_reading, self.reading)
            self.asked.append(f"{gist.id} {file.name}")
            try:
                await asyncio.sleep(found.seconds)
            finally:
                self.reading -= 1
        if found.error is not None:
            raise found.error
        return found.text

    async def stream(
        self, gist: Gist, file: GistFile, scope: Scope
    ) -> AsyncGenerator[AsyncGenerator[bytes]]:
        """Yield one pass, whose chunks share the file's time."""
        found = self._file(gist, file)

        async def chunks() -> AsyncGenerator[bytes]:
            async with scope.lane.place():
                self.asked.append(f"{gist.id} {file.name}")
                for start in range(0, len(found.text), 65536):
                    await asyncio.sleep(found.seconds * 65536 / len(found.text))
                    yield found.text[start : start + 65536]
            if found.error is not None:
                raise found.error

        yield chunks()

    @asynccontextmanager
    async def clone(self, gist: Gist, scope: Scope) -> AsyncIterator[AsyncIterator[ClonedFile]]:
        """Yield every file of a gist, one after the other."""
        del scope
        files = [(file, self._file(gist, file)) for file in gist.files]

        async def chunks(file: File) -> AsyncGenerator[bytes]:
            await asyncio.sleep(file.seconds)
            yield file.text

        async def cloned() -> AsyncIterator[ClonedFile]:
            for listed, file in files:
                yield ClonedFile(listed.name, len(file.text), "0" * 40, chunks(file))

        yield cloned()

    def _file(self, gist: Gist, file: GistFile) -> File:
        for gists in self.users.values():
            for known, files in gists:
                if known.id == gist.id:
                    return next(found for found in files if found.name == file.name)
        raise GoneError(gist.id)

    def get_contents(self, blobs: Mapping[str, int | None]) -> Iterator[tuple[str, bytes]]:
        """Return nothing: files here have no blob SHA."""
        del blobs
        return iter(())

    def contents_in_memory(self, blobs: Iterable[str]) -> dict[str, bytes]:
        """Return nothing."""
        del blobs
        return {}

    def put_content(self, blob_sha: str, content: bytes) -> None:
        """Keep nothing."""

    def open_content(self, blob_sha: str, size_bytes: int) -> None:
        """Keep nothing."""

    def store_content(self, blob_sha: str, size_bytes: int) -> Github:
        """Return a sink that keeps nothing."""
        del blob_sha, size_bytes
        return self

    def get_listing(self, key: str) -> None:
        """Return nothing."""

    def put_listing(self, key: str, listing: bytes) -> None:
        """Keep nothing."""

    def write(self, chunk: bytes) -> None:
        """Discard the bytes."""

    def close(self) -> None:
        """Do nothing."""


class Events(Outbox[SearchEvent]):
    """Collects what a session sends, with the loop's time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.sent: list[tuple[float, SearchEvent]] = []
        self._clock = loop.time

    def send(self, item: SearchEvent) -> None:
        """Collect an event."""
        self.sent.append((self._clock(), item))


@dataclass
class Answer:
    """The events of one search."""

    timed: list[tuple[float, SearchEvent]]

    @property
    def events(self) -> list[SearchEvent]:
        """All events, in order."""
        return [event for _, event in self.timed]

    @property
    def matches(self) -> list[str]:
        """The ids of the gists that match, in order of arrival."""
        return [event.gist.id for event in self.events if isinstance(event, Match)]

    @property
    def incomplete(self) -> list[Incomplete]:
        """What could not be searched."""
        return [event for event in self.events if isinstance(event, Incomplete)]

    @property
    def end(self) -> End:
        """The last event."""
        end = self.events[-1]
        assert isinstance(end, End)
        return end


async def searching(
    github: Github,
    query: Query,
    *,
    deadline_seconds: float = 60,
    concurrency: int = 16,
    bounds: SearchBounds = SearchBounds(),  # noqa: B008 - frozen
    during: Callable[[Session], None] = lambda _session: None,
    meter: Any = None,
) -> Answer:
    """Run one search on the running loop."""
    loop = asyncio.get_running_loop()
    events = Events(loop)
    share = AnswerShare(GrowingBudget(ANSWER_BYTES, MOST_ANSWER_BYTES))
    session = Session(query, cursors.decode(query), bounds, deadline_seconds, events, share)
    matching = Matching()
    lane = FairLimiter(64, concurrency).lane()
    scope = Scope(lane, session.ends_at)
    if meter is not None:
        scope = replace(scope, meter=meter)
    reader = Reader(
        source=github,
        shared=Resources(github, Inline(1, "inline"), FairLimiter(2**26), FairLimiter(2**26)),
        matcher=matching.matcher(
            compile_pattern(query.pattern, query.flags), Wanted(query.max_count, query.context)
        ),
        wanted=Filter(query),
        scope=scope,
        share=share,
        max_count=query.max_count,
        context=query.context,
        wants_first=query.details,
        wants_names=query.names,
        count=session.count,
    )
    during(session)
    try:
        await session.run(reader)
    finally:
        await matching.close()
    return Answer(events.sent)


def search(github: Github, query: Query, **options: Any) -> Answer:
    """Run one search on a new loop with simulated time."""
    return run(searching(github, query, **options))


def follow(github: Github, query: Query, **options: Any) -> Iterator[Answer]:
    """Search by `next` to the end."""
    for _ in range(1000):
        answer = search(github, query, **options)
        yield answer
        if answer.end.next is None:
            return
        assert answer.end.next != query.cursor, "an answer makes no progress"
        query = replace(query, cursor=answer.end.next)
    raise AssertionError("the search never ends")
