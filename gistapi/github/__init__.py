"""Everything that knows GitHub: listings, contents, limits, git.

`Github` reads pages of gists and contents of files, all on the loop; `client` is the only module
that sends requests. May import `errors`, `models`, `events`, `aio` and `setting_values`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from gistapi.aio.scope import Scope
from gistapi.events import HostState, Observer, ignore
from gistapi.github.client import Client
from gistapi.github.contents import Contents
from gistapi.github.environment import check_environment
from gistapi.github.git.clone import Clones
from gistapi.github.listing import Freshness, Listings, ListingStore
from gistapi.github.shared_limits import Waits
from gistapi.models import ClonedFile, Gist, GistFile, Page, Target

__all__ = ["Freshness", "Github", "check_environment"]


class Github:
    """The gists of GitHub; everything runs on one loop, and building one opens nothing.

    `api_url` is the API's origin, `content_hosts` are the `host` or `host:port` that contents may
    come from, `token` goes to the API alone. `timeout_seconds` bounds connecting and each silence
    between bytes; `concurrency_total` bounds the requests of the process; `waits` shares what
    hosts asked for with other instances.
    """

    def __init__(
        self,
        *,
        api_url: str,
        content_hosts: tuple[str, ...],
        token: str | None,
        timeout_seconds: float,
        concurrency_total: int,
        store: ListingStore,
        freshness: Freshness,
        observe: Observer = ignore,
        waits: Waits | None = None,
    ) -> None:
        self._client = Client(
            api_url=api_url,
            content_hosts=content_hosts,
            token=token,
            timeout_seconds=timeout_seconds,
            concurrency_total=concurrency_total,
            observe=observe,
            waits=waits,
        )
        self._listings = Listings(self._client, store, freshness, observe)
        self._clones = Clones(self._client)
        self._contents = Contents(self._client, self._clones, observe)

    def pages(self, target: Target, scope: Scope) -> AsyncGenerator[Page]:
        """The pages of a target's gists (`listing.Listings.pages`)."""
        return self._listings.pages(target, scope)

    def members(self, organization: str, scope: Scope) -> AsyncGenerator[str]:
        """The logins of an organization's members (`listing.Listings.members`)."""
        return self._listings.members(organization, scope)

    def read(self, gist: Gist, file: GistFile, scope: Scope) -> Coroutine[Any, Any, bytes]:
        """A small file whole (`contents.Contents.read`)."""
        return self._contents.read(gist, file, scope)

    def stream(
        self, gist: Gist, file: GistFile, scope: Scope
    ) -> AsyncGenerator[AsyncGenerator[bytes]]:
        """Passes over a large file (`contents.Contents.stream`)."""
        return self._contents.stream(gist, file, scope)

    def clone(
        self, gist: Gist, scope: Scope
    ) -> AbstractAsyncContextManager[AsyncGenerator[ClonedFile]]:
        """All files of a gist, by git (`git.clone.Clones.files`)."""
        return self._clones.files(gist.git_pull_url, scope)

    def hosts(self) -> tuple[HostState, ...]:
        """What is known of each host that was asked; for any thread."""
        return self._client.limits.states()

    async def close(self) -> None:
        """Close the idle connections and threads."""
        self._listings.close()
        self._clones.close()
        await self._client.close()
