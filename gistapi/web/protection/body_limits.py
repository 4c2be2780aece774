"""Receiving bodies: so large, so many at once, and of one address no more than its share."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from flask import request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from gistapi.errors import OverloadedError

MAX_BODY_BYTES = 64 * 1024
# A body that comes slowly, or never, holds a thread until its connection ends: the web server's
# read knows no time limit and can't be interrupted (docs/decisions/edge.md).
MAX_BODIES_AT_ONCE = 256
MAX_BODIES_OF_ONE_ADDRESS = 32


class BodyLimits:
    """Receives the bodies of requests. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: Counter[str] = Counter()

    def receive(self, address: str) -> bytes:
        """The body of this request, which this address sends.

        Raises OverloadedError, RequestEntityTooLarge, and BadRequest when it broke off.
        """
        length = request.content_length or 0
        if length > MAX_BODY_BYTES:
            raise RequestEntityTooLarge
        with self._counted(address):
            body = request.get_data(cache=False)
        if len(body) > MAX_BODY_BYTES:
            raise RequestEntityTooLarge
        if len(body) < length:
            raise BadRequest  # it broke off, which the web server does not tell
        return body

    @contextmanager
    def _counted(self, address: str) -> Iterator[None]:
        with self._lock:
            if self._of.total() >= MAX_BODIES_AT_ONCE:
                raise OverloadedError("Too many requests are being received at once", 1.0)
            if self._of[address] >= MAX_BODIES_OF_ONE_ADDRESS:
                raise OverloadedError("Too many requests of yours are being received", 1.0)
            self._of[address] += 1
        try:
            yield
        finally:
            with self._lock:
                self._of[address] -= 1
                if not self._of[address]:
                    del self._of[address]
