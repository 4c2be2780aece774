"""Sources of whole gists: GraphQL, the REST API, git. Only verified contents are returned."""

from __future__ import annotations

from collections.abc import Mapping

from gistapi.aio.scope import Scope
from gistapi.aio.singleflight import SingleFlight
from gistapi.errors import IncompleteError
from gistapi.events import ContentWay
from gistapi.github.client import Client
from gistapi.github.git.clone import Clones
from gistapi.github.graphql import MAX_BATCH_BYTES, GraphqlGists
from gistapi.github.host_limits import Host
from gistapi.github.kept import KeptContents, is_proved
from gistapi.github.single import single_gist
from gistapi.models import Gist, GistFile

MAX_FILE_BYTES = 1024 * 1024
"""Larger files are streamed, not read whole."""
MAX_API_BYTES = 1_000_000
"""The API cuts larger files."""
MAX_CLONED_BYTES = 16 * 1024 * 1024
"""The most that is kept of one clone, besides the requested file."""
GRAPHQL_RESERVE = 0.01
GIST_RESERVE = 0.1
"""The share of a budget that is kept for other requests."""
ANONYMOUS_RESERVE = 0.5
"""Without a token the hour has 60 requests, and listings need them."""

Proved = Mapping[str, bytes]
"""Contents by their blob SHA."""


class WholeGists:
    """Brings the small files of a gist at once; concurrent callers share what one of them loads."""

    def __init__(self, client: Client, clones: Clones) -> None:
        self.kept = KeptContents()
        self._client = client
        self._clones = clones
        self._graphql = GraphqlGists(client)
        self._flights: SingleFlight[Proved] = SingleFlight()

    def ways(self, scope: Scope) -> tuple[ContentWay, ...]:
        """The sources, the cheapest first."""
        return ("graphql", "gist", "git") if self._client.has_token(scope) else ("git", "gist")

    def can(self, way: ContentWay, gist: Gist, file: GistFile, scope: Scope) -> bool:
        """Whether a source may be used now, and probably has what the listing's SHA verifies."""
        if file.blob_sha is None or file.size_bytes is None:
            return False
        total = sum(listed.size_bytes or 0 for listed in gist.files)
        fits = file.size_bytes <= MAX_API_BYTES and total <= MAX_BATCH_BYTES
        client = self._client
        if way == "git":
            return gist.git_pull_url is not None and self._git_is_usable(gist.git_pull_url, scope)
        if way == "graphql":
            host = client.host(client.graphql_url, "graphql", scope)
            has_id = gist.node_id is not None and client.has_token(scope)
            return has_id and fits and host.has_left(GRAPHQL_RESERVE) and host.is_usable()
        reserve = GIST_RESERVE if client.has_token(scope) else ANONYMOUS_RESERVE
        host = client.host(client.api_url, "gist", scope)
        return fits and host.has_left(reserve) and host.is_usable()

    def _git_is_usable(self, url: str, scope: Scope) -> bool:
        try:
            host: Host = self._client.host(url, "git", scope)
        except IncompleteError:
            return False
        return host.is_usable()

    async def read(self, way: ContentWay, gist: Gist, file: GistFile, scope: Scope) -> bytes:
        """A file from one source; raises IncompleteError `content_mismatch`, and its errors."""
        blob_sha = file.blob_sha or ""

        async def load() -> Proved:
            proved = await self._load(way, gist, file, scope)
            for sha, content in proved.items():
                if sha != blob_sha:
                    self.kept.put(sha, content, way)
            return proved

        found = await self._flights.fetch(f"{way} {gist.id}", load)
        if blob_sha not in found:
            raise IncompleteError(
                "content_mismatch", "GitHub has something other than it had listed."
            )
        return found[blob_sha]

    async def _load(self, way: ContentWay, gist: Gist, file: GistFile, scope: Scope) -> Proved:
        if way == "git":
            return await self._by_git(gist, file, scope)
        if way == "graphql":
            size = sum(listed.size_bytes or 0 for listed in gist.files)
            return _proved(gist, await self._graphql.contents(gist.node_id or "", size, scope))
        return _proved(gist, await single_gist(self._client, gist.id, scope))

    async def _by_git(self, gist: Gist, file: GistFile, scope: Scope) -> Proved:
        wanted = {
            listed.name: listed
            for listed in gist.files
            if listed.blob_sha and (listed.size_bytes or 0) <= MAX_FILE_BYTES
        }
        found: dict[str, bytes] = {}
        size = 0
        async with self._clones.files(gist.git_pull_url, scope) as files:
            async for cloned in files:
                listed = wanted.pop(cloned.name, None)
                if listed is None or cloned.size_bytes != listed.size_bytes:
                    continue
                size += cloned.size_bytes
                if size > MAX_CLONED_BYTES and listed != file:
                    continue
                content = b"".join([chunk async for chunk in cloned.chunks])
                found |= _proved_one(listed, content)
                if not wanted:
                    break
        return found


def _proved(gist: Gist, contents: Mapping[str, bytes]) -> Proved:
    found: dict[str, bytes] = {}
    for listed in gist.files:
        if listed.name in contents:
            found |= _proved_one(listed, contents[listed.name])
    return found


def _proved_one(file: GistFile, content: bytes) -> dict[str, bytes]:
    return {file.blob_sha: content} if file.blob_sha and is_proved(file, content) else {}
