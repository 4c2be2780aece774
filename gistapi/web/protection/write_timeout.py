"""How long an answer waits for who does not read it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]

# What fits into buffers is never waited for. So long altogether, the rest of an answer may wait to
# be taken: then it breaks off, or who reads a byte now and then would hold a thread for hours.
READ_SECONDS = 60.0

_log = logging.getLogger(__name__)


class WriteTimeout:
    """WSGI middleware: breaks off an answer that waited `seconds` altogether to be taken."""

    def __init__(self, app: WsgiApp, seconds: float = READ_SECONDS) -> None:
        self._app = app
        self._seconds = seconds

    def __call__(self, environ: dict[str, Any], start_response: object) -> Iterable[bytes]:
        """Answer."""
        return _Answer(self._app(environ, start_response), self._seconds)


class _Answer:
    """The chunks of an answer, and the time that passes between them on the other side."""

    def __init__(self, chunks: Iterable[bytes], seconds: float) -> None:
        self._chunks = chunks
        self._left = seconds

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            given_at = time.monotonic()
            yield chunk
            self._left -= time.monotonic() - given_at
            if self._left <= 0:
                _log.info("answer not read in time")
                return

    def close(self) -> None:
        """Close the answer, and with it a search that tells it."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
