"""Access to GitHub: listings, contents, rate limits and git.

`Github` reads pages of gists and contents of files, on the loop; only the module `client` sends
requests. May import `errors`, `models`, `events`, `aio` and `setting_values`.
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
    """Reads gists from GitHub. Used on one loop, except `hosts`; building one opens no connection.

    `api_url` is the API's origin. `content_hosts` are the hosts from which contents may be read, as
    `host` or `host:port`. `token` is sent to the API only. `timeout_seconds` bounds connecting and
    each wait for more bytes. `concurrency_total` bounds the concurrent requests of the process.
    `waits` shares the waits that hosts ask for with other instances.
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
        """Yield the pages of a target's gists; see `listing.Listings.pages`."""
        return self._listings.pages(target, scope)

    def members(self, organization: str, scope: Scope) -> AsyncGenerator[str]:
        """Yield the logins of an organization's members; see `listing.Listings.members`."""
        return self._listings.members(organization, scope)

    def read(self, gist: Gist, file: GistFile, scope: Scope) -> Coroutine[Any, Any, bytes]:
        """Return the content of a small file; see `contents.Contents.read`."""
        return self._contents.read(gist, file, scope)

    def stream(
        self, gist: Gist, file: GistFile, scope: Scope
    ) -> AsyncGenerator[AsyncGenerator[bytes]]:
        """Yield passes over a large file; see `contents.Contents.stream`."""
        return self._contents.stream(gist, file, scope)

    def clone(
        self, gist: Gist, scope: Scope
    ) -> AbstractAsyncContextManager[AsyncGenerator[ClonedFile]]:
        """Yield all files of a gist from a clone; see `git.clone.Clones.files`."""
        return self._clones.files(gist.git_pull_url, scope)

    def hosts(self) -> tuple[HostState, ...]:
        """Return the state of each host to which requests were sent. Thread-safe."""
        return self._client.limits.states()

    async def close(self) -> None:
        """Close idle connections and stop the threads."""
        self._listings.close()
        self._clones.close()
        await self._client.close()
