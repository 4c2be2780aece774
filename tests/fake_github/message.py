"""A request as it arrived, with its record, and the answer to it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.fake_github.content import EMPTY, Body, as_content

OriginName = Literal["api", "raw", "git", "control"]


@dataclass(slots=True, kw_only=True)
class Request:
    """One request and its record: `status` and `ended` are None until they are known.

    `target` is the address as it was sent, `path` the part before `?`, still quoted; header names
    are in lower case; times are `time.monotonic()` seconds; `sent_bytes` counts the bytes of the
    answer (head and body, as sent) that the system accepted; `aborted` says that the client
    disconnected before the answer's end; `connection` numbers the server's connections.
    """

    origin: OriginName
    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    connection: int = 0
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None
    status: int | None = None
    sent_bytes: int = 0
    aborted: bool = False

    @property
    def path(self) -> str:
        """The path, still quoted."""
        return self.target.partition("?")[0]

    @property
    def segments(self) -> list[str]:
        """The path's parts between slashes, unquoted; a trailing slash leaves an empty last one."""
        return [unquote(part, errors="surrogateescape") for part in self.path[1:].split("/")]

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters in their order."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def wants_gzip(self) -> bool:
        """Whether `Accept-Encoding` names gzip."""
        return "gzip" in self.headers.get("accept-encoding", "")

    def has_etag(self, etag: str) -> bool:
        """Whether `If-None-Match` has this tag, compared weakly."""
        given = self.headers.get("if-none-match", "").split(",")
        return etag.removeprefix("W/") in [tag.strip().removeprefix("W/") for tag in given]


@dataclass(frozen=True, slots=True)
class Response:
    """An answer before framing: the server adds length, date and connection fields."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = EMPTY


Answer = Response | Callable[[Request], Response]


def text(status: int, words: str | bytes, **headers: str) -> Response:
    """An answer in plain text; `retry_after="3"` becomes the header `Retry-After: 3`."""
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return Response(
        status, {"Content-Type": "text/plain; charset=utf-8"} | named, as_content(words)
    )


def from_json(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON."""
    data = json.dumps(value, separators=(",", ":")).encode()
    fields = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    return Response(status, fields, as_content(data))
