"""The API's primary rate limit: requests per window, for each token and for callers without."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from tests.fake_github.answers import error
from tests.fake_github.message import Request, Response, from_json


@dataclass(slots=True)
class _Window:
    used: int
    reset: int


@dataclass(slots=True, kw_only=True)
class RateLimit:
    """Counts requests; `limit` applies without a token, `limit_with_token` with one.

    A caller over the limit gets `status` (403 or 429) with `remaining: 0`. Windows begin with a
    caller's first request and last `window_seconds`.
    """

    limit: int = 60
    limit_with_token: int = 5000
    window_seconds: float = 3600
    status: int = 403
    resource: str = "core"
    _windows: dict[str, _Window] = field(default_factory=dict)

    def exceeded(self, request: Request) -> bool:
        """Whether the caller's window is used up."""
        return self._window(request).used >= self._limit(request)

    def spend(self, request: Request) -> None:
        """Count one request."""
        self._window(request).used += 1

    def use_up(self) -> None:
        """Use up the rest for callers without a token."""
        self._windows[""] = _Window(self.limit, self._next_reset())

    def start_again(self) -> None:
        """Start new windows for all callers."""
        self._windows.clear()

    def headers(self, request: Request) -> dict[str, str]:
        """The five headers of every API answer."""
        state = self._state(request)
        named = {f"X-RateLimit-{name.title()}": str(value) for name, value in state.items()}
        return named | {"X-RateLimit-Resource": self.resource}

    def refusal(self) -> Response:
        """The answer to a caller over the limit."""
        return error(self.status, "API rate limit exceeded for 127.0.0.1.")

    def overview(self, request: Request) -> Response:
        """`GET /rate_limit`."""
        state = self._state(request)
        return from_json(200, {"resources": {"core": state, "search": state}, "rate": state})

    def _state(self, request: Request) -> dict[str, int]:
        limit, window = self._limit(request), self._window(request)
        return {
            "limit": limit,
            "remaining": max(0, limit - window.used),
            "reset": window.reset,
            "used": window.used,
        }

    def _limit(self, request: Request) -> int:
        return self.limit_with_token if "authorization" in request.headers else self.limit

    def _window(self, request: Request) -> _Window:
        caller, now = request.headers.get("authorization", ""), time.time()
        window = self._windows.get(caller)
        if window is None or window.reset <= now:
            window = self._windows[caller] = _Window(0, self._next_reset())
        return window

    def _next_reset(self) -> int:
        # rounded up: a client that waits until the header's whole second is not too early
        return math.ceil(time.time() + self.window_seconds)
