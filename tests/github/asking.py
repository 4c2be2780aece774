"""What the tests of the client share: one that asks the fake, and a store in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gistapi.aio.deadline import Deadline
from gistapi.events import Event, ignore
from gistapi.github.client import Client, Response
from gistapi.models import GistFile
from tests.fake_github import Content, FakeGithub, Gist, User

DEADLINE_SECONDS = 30.0


class Store(dict[str, bytes]):
    """Listings in memory."""

    def get_listing(self, key: str) -> bytes | None:
        """What was put under `key`."""
        return self.get(key)

    def put_listing(self, key: str, listing: bytes) -> None:
        """Remember it."""
        self[key] = listing


def client_of(
    github: FakeGithub,
    *,
    token: str | None = None,
    timeout_seconds: float = 5,
    content_hosts: tuple[str, ...] = (),
    observe: Callable[[Event], None] = ignore,
) -> Client:
    """A client that asks the fake; contents may come from its raw origin, and `content_hosts`."""
    return Client(
        api_url=github.api_url,
        content_hosts=(github.raw_host, *content_hosts),
        token=token,
        timeout_seconds=timeout_seconds,
        connections=8,
        observe=observe,
    )


def user_of(github: FakeGithub) -> User:
    """The one user of a test."""
    return github.world.user("octocat") or github.add_user("octocat")


def add_file(
    github: FakeGithub,
    content: bytes | str | Content = "import requests\n",
    name: str = "a.py",
    **about: Any,
) -> GistFile:
    """Add a gist of one file; the file as the listing shows it."""
    gist = user_of(github).add_gist({name: content}, **about)
    return listed(github, gist, name)


def listed(github: FakeGithub, gist: Gist, name: str) -> GistFile:
    """A file as the listing shows it; of a commit's SHA nobody can tell that it is none."""
    file = gist.files[name]
    url = github.raw_url + gist.raw_path(file)
    return GistFile(name, url, file.content.size, None, file.sha)


def ask(client: Client, url: str | None, deadline: Deadline | None = None) -> tuple[int, bytes]:
    """Status and body of one content, asked for once."""
    assert url is not None
    deadline = deadline or Deadline(DEADLINE_SECONDS)
    with client.get(url, kind="raw", deadline=deadline, headers={}) as answer:
        return answer.status, whole(answer)


def whole(answer: Response) -> bytes:
    """The body of an answer."""
    return b"".join(answer.chunks())
