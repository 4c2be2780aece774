"""`POST /graphql`: answers the service's one query of contents as GitHub does.

Field names and types are those of GitHub's published schema: `Query.nodes`, `Gist.files`,
`GistFile`. https://docs.github.com/en/graphql/overview/public-schema
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from tests.fake_github import answers
from tests.fake_github.limits import RateLimit
from tests.fake_github.message import Request, Response, from_json
from tests.fake_github.model import File, Gist, World

_MOST_IDS = 100
_DEFAULT_FILES = 10
_CUT_BYTES = 1_000_000
_NODES = re.compile(
    r"nodes\s*\(\s*ids\s*:\s*\$ids\s*\)\s*\{\s*\.\.\.\s*on\s+Gist\s*\{\s*"
    r"files\s*(?:\(\s*limit\s*:\s*(\d+)\s*\))?\s*\{([\w\s]*)\}\s*\}\s*\}"
)


class Graphql:
    """Answers queries of `nodes`; `max_bytes` limits the text that one query may request."""

    def __init__(self, world: World) -> None:
        self.rate_limit = RateLimit(limit=0, limit_with_token=5000, resource="graphql")
        self.max_bytes: int | None = None
        self._world = world

    def respond(self, request: Request) -> Response:
        """The answer; its status is always 200, except for a missing token."""
        if "authorization" not in request.headers:
            return answers.error(401, "This endpoint requires you to be authenticated.")
        if self.rate_limit.exceeded(request):
            return _errors("RATE_LIMITED", "API rate limit exceeded for user ID 1.")
        self.rate_limit.spend(request)
        asked = json.loads(request.body)
        found = _NODES.search(asked["query"])
        ids = asked["variables"]["ids"]
        if found is None:
            return _errors("undefinedField", "The fake knows one query.")
        if len(ids) > _MOST_IDS:
            return _errors(
                "ARGUMENT_LIMIT",
                f"You may not provide more than 100 node ids; you provided {len(ids)}.",
            )
        gists = {f"Gist{gist.id}": gist for gist in self._world.gists.values()}
        nodes = [gists.get(_decoded(node_id)) for node_id in ids]
        size = sum(f.content.size for gist in nodes if gist for f in gist.files.values())
        if self.max_bytes is not None and size > self.max_bytes:
            return _errors("RESOURCE_LIMITS_EXCEEDED", "Resource limits for this query exceeded.")
        limit, fields = int(found[1] or _DEFAULT_FILES), found[2].split()
        return _answer(ids, nodes, limit, fields)


def _answer(ids: list[str], nodes: list[Gist | None], limit: int, fields: list[str]) -> Response:
    errors = [
        {
            "type": "NOT_FOUND",
            "path": ["nodes", place],
            "locations": [{"line": 2, "column": 3}],
            "message": f"Could not resolve to a node with the global id of '{ids[place]}'.",
        }
        for place, gist in enumerate(nodes)
        if gist is None
    ]
    shown = [
        gist and {"files": [_file(file, fields) for file in list(gist.files.values())[:limit]]}
        for gist in nodes
    ]
    return from_json(200, {"data": {"nodes": shown}} | ({"errors": errors} if errors else {}))


def _file(file: File, fields: list[str]) -> Mapping[str, Any]:
    data = file.content.read(0, min(file.content.size, _CUT_BYTES))
    try:
        text = None if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        text = None
    known = {
        "name": file.name,
        "size": file.content.size,
        "text": text,
        "isTruncated": file.content.size > _CUT_BYTES,
        "encoding": "UTF-8" if text is not None else None,
    }
    return {field: known[field] for field in fields}


def _errors(kind: str, message: str) -> Response:
    return from_json(200, {"data": None, "errors": [{"type": kind, "message": message}]})


def _decoded(node_id: str) -> str:
    try:
        return base64.b64decode(node_id, validate=True).decode()
    except ValueError:
        return ""
