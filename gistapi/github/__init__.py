"""Everything that knows GitHub: listings, downloads, limits."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager

from gistapi.aio.deadline import Deadline
from gistapi.events import Observer, ignore
from gistapi.github.client import Client
from gistapi.github.contents import Files
from gistapi.github.git.clone import ClonedFiles, Clones
from gistapi.github.listing import Freshness, Listings, ListingStore
from gistapi.models import Gist, GistFile, Page

__all__ = ["Freshness", "Github"]


class Github:
    """The public gists of GitHub's users; building one opens nothing.

    `api_url` is the API's origin, `content_hosts` are the `host` or `host:port` that contents may
    come from, `token` goes to the API alone. `timeout_seconds` bounds connecting and each silence
    between bytes; `connections` is how many are kept open to a host.
    """

    def __init__(
        self,
        *,
        api_url: str,
        content_hosts: tuple[str, ...],
        token: str | None,
        timeout_seconds: float,
        connections: int,
        store: ListingStore,
        trust: Freshness,
        observe: Observer = ignore,
    ) -> None:
        self._client = Client(
            api_url=api_url,
            content_hosts=content_hosts,
            token=token,
            timeout_seconds=timeout_seconds,
            connections=connections,
            observe=observe,
        )
        self._listings = Listings(self._client, store, trust, observe)
        self._files = Files(self._client)
        self._clones = Clones(self._client)

    def pages(self, username: str, deadline: Deadline) -> Iterator[Page]:
        """A user's gists (`listing.Listings.pages`)."""
        return self._listings.pages(username, deadline)

    def read(self, file: GistFile, deadline: Deadline) -> bytes:
        """A small file whole (`files.Files.read`)."""
        return self._files.read(file, deadline)

    def stream(self, file: GistFile, deadline: Deadline) -> Iterator[Generator[bytes]]:
        """Passes over a file (`files.Files.stream`)."""
        return self._files.stream(file, deadline)

    def clone(self, gist: Gist, deadline: Deadline) -> AbstractContextManager[ClonedFiles]:
        """All files of a gist, by git (`clone.Clones.files`)."""
        return self._clones.files(gist.git_pull_url, deadline)

    def close(self) -> None:
        """Close the idle connections."""
        self._client.close()
