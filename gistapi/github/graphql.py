"""The contents of up to 100 gists in one GraphQL query, for one point of 5,000 an hour.

Gists that are requested at the same time share a query. A token is needed.
https://docs.github.com/en/graphql/reference/queries#nodes
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from weakref import WeakKeyDictionary

from gistapi.aio.limiter import Lane
from gistapi.aio.scope import Scope
from gistapi.errors import GistapiError, GithubError, IncompleteError
from gistapi.github.client import Client, LimitedError, TransientError
from gistapi.github.entries import parse_json
from gistapi.github.http import SilenceError

MAX_IDS = 100
MAX_BATCH_BYTES = 2 * 1024 * 1024
"""Of the files of a query's gists, as listed."""
MAX_VALUES = 2**17
"""Of an answer: 100 gists of 300 files have 90,000."""
GATHER_SECONDS = 0.02
QUERY = """query($ids: [ID!]!) {
  nodes(ids: $ids) { ... on Gist { files(limit: 300) { name text isTruncated } } }
}"""
"""https://docs.github.com/en/graphql/reference/objects#gistfile"""
HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
TOO_MUCH = {"RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED"}

Contents = Mapping[str, bytes]


class TooMuchError(TransientError):
    """The query asks for more than GitHub computes at once."""


@dataclass(slots=True)
class _Wanted:
    """A request for the contents of one gist."""

    node_id: str
    size_bytes: int
    contents: asyncio.Future[Contents]


@dataclass(slots=True)
class _Queue:
    """One search's requests, and the task that sends its queries."""

    waiting: list[_Wanted] = field(default_factory=list)
    asked: list[_Wanted] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    def is_abandoned(self) -> bool:
        return all(wanted.contents.done() for wanted in (*self.waiting, *self.asked))


class GraphqlGists:
    """Batches the gists of each search: one query at a time, which takes all waiting requests."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._queues: WeakKeyDictionary[Lane, _Queue] = WeakKeyDictionary()

    async def contents(self, node_id: str, size_bytes: int, scope: Scope) -> Contents:
        """The complete texts in the current revision of a gist, by file name.

        `size_bytes` is the listed size of all its files. Raises what `Client.post` raises, and
        IncompleteError if GraphQL does not show the gist.
        """
        queue = self._queues.setdefault(scope.lane, _Queue())
        loop = asyncio.get_running_loop()
        wanted = _Wanted(node_id, size_bytes, loop.create_future())
        queue.waiting.append(wanted)
        task = queue.task
        if task is None:
            task = loop.create_task(self._ask_all(queue, scope), name="graphql contents")
            queue.task = task
        try:
            return await wanted.contents
        except asyncio.CancelledError:
            if queue.is_abandoned():
                task.cancel()
            raise

    async def _ask_all(self, queue: _Queue, scope: Scope) -> None:
        try:
            while queue.waiting:
                await asyncio.sleep(GATHER_SECONDS)
                queue.asked = _take(queue.waiting)
                await self._ask(queue.asked, scope)
        except Exception as error:  # noqa: BLE001 - raised where the contents are waited for
            _fail((*queue.waiting, *queue.asked), error)
        finally:
            for wanted in (*queue.waiting, *queue.asked):
                wanted.contents.cancel()
            queue.waiting, queue.asked, queue.task = [], [], None

    async def _ask(self, batch: Sequence[_Wanted], scope: Scope) -> None:
        """Send the query of a batch; a batch that asks for too much is halved.

        After a timeout it is not halved: each half would cost another timeout.
        """
        if not batch:
            return
        try:
            found = await self._query([wanted.node_id for wanted in batch], scope)
        except (LimitedError, SilenceError) as error:
            _fail(batch, error)
        except TransientError as error:
            if len(batch) == 1:
                _fail(batch, error)
            else:
                middle = len(batch) // 2
                await self._ask(batch[:middle], scope)
                await self._ask(batch[middle:], scope)
        except GistapiError as error:
            _fail(batch, error)
        else:
            for wanted, contents in zip(batch, found, strict=True):
                _settle(wanted, contents)

    async def _query(self, ids: list[str], scope: Scope) -> list[Contents | None]:
        """The contents of each id's gist, None where GitHub shows none."""
        query = json.dumps({"query": QUERY, "variables": {"ids": ids}}).encode()
        async with self._client.bodies.body(scope.lane) as body:
            async with self._client.post(
                self._client.graphql_url,
                kind="graphql",
                scope=scope,
                headers=HEADERS,
                body=query,
                max_wait_seconds=0,
            ) as answer:
                if answer.status != HTTPStatus.OK:
                    raise GithubError(await answer.error_message())
                await body.read(answer)
            return await body.parse(partial(parse_nodes, count=len(ids)))


def parse_nodes(body: bytes, count: int) -> list[Contents | None]:
    """The contents in the `count` nodes of an answer.

    Raises TooMuchError, LimitedError and GithubError.
    """
    answer = parse_json(body, MAX_VALUES)
    answer = answer if isinstance(answer, dict) else {}
    errors = answer.get("errors")
    kinds = {
        error["type"]
        for error in (errors if isinstance(errors, list) else ())
        if isinstance(error, dict) and isinstance(error.get("type"), str)
    }
    if "RATE_LIMITED" in kinds:
        raise LimitedError("GitHub's GraphQL limit is exhausted.", HTTPStatus.OK)
    if not TOO_MUCH.isdisjoint(kinds):
        raise TooMuchError("GitHub's GraphQL API computes less at once.", HTTPStatus.OK)
    data = answer.get("data")
    nodes = data.get("nodes") if isinstance(data, dict) else None
    if not isinstance(nodes, list) or len(nodes) != count:
        raise GithubError("GitHub's GraphQL API did not answer what it was asked.")
    return [_contents(node) for node in nodes]


def _contents(node: object) -> Contents | None:
    files = node.get("files") if isinstance(node, dict) else None
    if not isinstance(files, list):
        return None
    return {
        file["name"]: file["text"].encode("utf-8", "surrogatepass")
        for file in files
        if isinstance(file, dict)
        and isinstance(file.get("name"), str)
        and isinstance(file.get("text"), str)
        and file.get("isTruncated") is not True
    }


def _settle(wanted: _Wanted, contents: Contents | None) -> None:
    if contents is None:
        error = IncompleteError("file_unavailable", "GitHub's GraphQL API does not show the gist.")
        _fail([wanted], error)
    elif not wanted.contents.done():
        wanted.contents.set_result(contents)


def _fail(batch: Sequence[_Wanted], error: Exception) -> None:
    for wanted in batch:
        if not wanted.contents.done():
            wanted.contents.set_exception(error)


def _take(waiting: list[_Wanted]) -> list[_Wanted]:
    """Remove the next query's requests from `waiting`, and drop those that no search waits for."""
    waiting[:] = [wanted for wanted in waiting if not wanted.contents.done()]
    size, count = 0, 0
    for wanted in waiting[:MAX_IDS]:
        size += wanted.size_bytes
        if count and size > MAX_BATCH_BYTES:
            break
        count += 1
    taken = waiting[:count]
    del waiting[:count]
    return taken
