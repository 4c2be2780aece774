"""Shared by the tests of the client: clients of the fake, and a store in memory."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, ParamSpec, Protocol

from gistapi import models
from gistapi.aio.limiter import FairLimiter
from gistapi.aio.scope import UNMETERED, Scope, UsageMeter
from gistapi.events import Event, ignore
from gistapi.github.client import Client
from gistapi.github.shared_limits import Waits
from gistapi.models import GistFile
from tests.aio.looping import run
from tests.fake_github import Content, FakeGithub, Gist, User
from tests.waiting import HANG_SECONDS

P = ParamSpec("P")
DEADLINE_SECONDS = 60.0


class Closing(Protocol):
    """Something with open connections."""

    async def close(self) -> None:
        """Close them."""


_open: list[Closing] = []


class Store(dict[str, bytes]):
    """Listings in memory."""

    def get_listing(self, key: str) -> bytes | None:
        """Return what was put under `key`."""
        return self.get(key)

    def put_listing(self, key: str, listing: bytes) -> None:
        """Store a listing."""
        self[key] = listing


def scope_of(
    seconds: float = DEADLINE_SECONDS,
    *,
    limiter: FairLimiter | None = None,
    meter: UsageMeter = UNMETERED,
    caller_token: str | None = None,
) -> Scope:
    """A scope for one search, which ends after some seconds; call it on the loop."""
    lane = (limiter or FairLimiter(64, 16)).lane()
    ends_at = asyncio.get_running_loop().time() + seconds
    return Scope(lane, ends_at, meter, caller_token)


def on_loop(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an async test on a loop of its own, and close the clients that it opened."""

    @wraps(test)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        async def main() -> None:
            try:
                await test(*args, **kwargs)
            finally:
                while _open:
                    await _open.pop().close()

        run(main(), jumping=False)

    return wrapper


def close_later(closing: Closing) -> None:
    """Have `on_loop` close something at the end of the test."""
    _open.append(closing)


def client_of(github: FakeGithub, *, content_hosts: tuple[str, ...] = (), **about: Any) -> Client:
    """A client of the fake, which also reads contents from its raw origin and `content_hosts`."""
    return open_client(github.api_url, github.raw_host, *content_hosts, **about)


def open_client(
    api_url: str,
    *content_hosts: str,
    token: str | None = None,
    timeout_seconds: float = HANG_SECONDS,
    observe: Callable[[Event], None] = ignore,
    waits: Waits | None = None,
) -> Client:
    """A client of any hosts, which `on_loop` closes."""
    client = Client(
        api_url=api_url,
        content_hosts=content_hosts,
        token=token,
        timeout_seconds=timeout_seconds,
        concurrency_total=64,
        observe=observe,
        waits=waits,
    )
    close_later(client)
    return client


def user_of(github: FakeGithub) -> User:
    """The test's only user."""
    return github.world.user("octocat") or github.add_user("octocat")


def add_file(
    github: FakeGithub,
    content: bytes | str | Content = "import requests\n",
    name: str = "a.py",
    **about: Any,
) -> GistFile:
    """Add a gist with one file; returns the file as the listing shows it."""
    gist = user_of(github).add_gist({name: content}, **about)
    return listed(github, gist, name)


def listed(github: FakeGithub, gist: Gist, name: str) -> GistFile:
    """A file as the listing shows it; a commit's SHA looks like a blob's."""
    file = gist.files[name]
    url = github.raw_url + gist.raw_path(file)
    return GistFile(name, url, file.content.size, None, file.sha)


async def ask(
    client: Client, url: str | None, scope: Scope | None = None, **headers: str
) -> tuple[int, bytes]:
    """Request one content once; returns status and body."""
    assert url is not None
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.get(url, kind="raw", scope=scope or scope_of(), headers=sent) as answer:
        return answer.status, await answer.read(2**30)


def listed_gist(github: FakeGithub, gist: Gist) -> models.Gist:
    """A gist as the listing shows it."""
    return models.Gist(
        id=gist.id,
        html_url=gist.html_url,
        description=gist.description,
        created_at=gist.created_at,
        updated_at=gist.updated_at,
        files=tuple(listed(github, gist, name) for name in gist.files),
        truncated=gist.is_truncated,
        git_pull_url=f"{github.raw_url}/{gist.id}.git",
        node_id=base64.b64encode(f"Gist{gist.id}".encode()).decode(),
    )
