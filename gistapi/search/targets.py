"""Lists the targets of a search concurrently, and yields their pages in the order of the answer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from gistapi.aio.limiter import FairLimiter
from gistapi.aio.scope import Scope
from gistapi.errors import GistapiError
from gistapi.models import Page, Target
from gistapi.search.cursor import Place
from gistapi.search.source import GistSource

AHEAD = 8
"""Targets of a search that are listed concurrently, if memory allows."""
AHEAD_IN_ALL = 24
"""Targets that all searches together list before their turn; each lists one more, whose turn it is.

A user with gists of hundreds of files may take 1 MiB.
"""
PAGES_AHEAD = 1
"""Pages that wait in the queue of one target; its task holds one more."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a target's listing; without a page, its end, with `error` if the listing failed."""

    place: Place
    page: Page | None = None
    error: GistapiError | None = None


async def listed(
    source: GistSource,
    targets: Sequence[Target],
    floor: Place,
    scope: Scope,
    ahead: FairLimiter,
    group: asyncio.TaskGroup,
) -> AsyncGenerator[Listed]:
    """Yield the pages of every target from `floor` on, in order.

    The last item of each target has no page; if the listing failed, it has the error. Tasks in
    `group` read up to AHEAD listings concurrently: the one whose turn it is, and as many as `ahead`
    has places for.
    """
    todo = _places(source, targets, floor, scope)
    reading: deque[asyncio.Queue[Listed]] = deque()
    places = ahead.lane(scope.lane.caller.name)
    more = True
    try:
        while more or reading:
            while more and len(reading) < AHEAD and places.try_hold(len(reading)):
                following = await anext(todo, None)
                more = following is not None
                if following is not None:
                    queue: asyncio.Queue[Listed] = asyncio.Queue(PAGES_AHEAD)
                    reading.append(queue)
                    if following[1] is None:
                        queue.put_nowait(following[0])
                        continue
                    name = f"listing of target {following[0].place.target}"
                    reader = _read(source, following[0].place, following[1], scope, queue)
                    group.create_task(reader, name=name)
            if reading:
                item = await reading[0].get()
                yield item
                if item.page is None:
                    reading.popleft()
                    places.try_hold(max(0, len(reading) - 1))
    finally:
        places.try_hold(0)
        await todo.aclose()


async def _places(
    source: GistSource, targets: Sequence[Target], floor: Place, scope: Scope
) -> AsyncGenerator[tuple[Listed, Target | None]]:
    """Yield the place and the target of each listing; an organization is replaced by its members.

    Members are in alphabetical order, so that a cursor can name one. If they cannot be listed, the
    item has the error and no target.
    """
    for index, target in enumerate(targets):
        if index < floor.target:
            continue
        if target.kind != "organization":
            yield Listed(Place(index)), target
            continue
        try:
            logins = [login.lower() async for login in source.members(target.name, scope)]
        except GistapiError as error:
            yield Listed(Place(index), None, error), None
            continue
        for login in sorted(set(logins)):
            if Place(index, login) >= floor:
                yield Listed(Place(index, login)), Target("username", login)


async def _read(
    source: GistSource, place: Place, target: Target, scope: Scope, queue: asyncio.Queue[Listed]
) -> None:
    error = None
    try:
        async with aclosing(source.pages(target, scope)) as pages:
            async for page in pages:
                await queue.put(Listed(place, page))
    except GistapiError as raised:
        error = raised.with_traceback(None)  # its frames hold it
    await queue.put(Listed(place, None, error))
