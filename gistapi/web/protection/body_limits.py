"""The size of request bodies, and incomplete bodies.

How long a body may take and how many connections one network may have is up to the server
(`gistapi.web.server`); a body that arrives holds no thread.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import request
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    RequestEntityTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)

MAX_BODY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request, or why there is none."""

    content: bytes
    error: HTTPException | None = None

    def json(self) -> bytes:
        """The content, if the request says that it is JSON.

        Raises UnsupportedMediaType for another type or a `Content-Encoding`; BadRequest or
        RequestTimeout if the body is incomplete.
        """
        if request.mimetype != "application/json":
            raise UnsupportedMediaType
        if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise UnsupportedMediaType
        if self.error is not None:
            raise self.error
        return self.content


def receive() -> Body:
    """The body of this request. Raises RequestEntityTooLarge."""
    length = request.content_length or 0
    if length > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    try:
        content = request.get_data(cache=False)
    except (OSError, BadRequest) as error:
        # Werkzeug turns what reading raises into a BadRequest.
        late = isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
        return Body(b"", RequestTimeout() if late else BadRequest())
    if len(content) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    if len(content) < length:
        return Body(b"", BadRequest())
    return Body(content)
