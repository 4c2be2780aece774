"""Whether the service is ready, and how what it stands on is doing.

The shape is that of application/health+json (draft-inadarei-api-health-check-06).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Literal, Protocol

from gistapi.events import Event, GithubBudgetSeen, GithubLimited, GithubRequestEnded

State = Literal["starting", "ready", "stopping"]
Check = dict[str, Any]
LOW_BUDGET = 0.1
"""Of GitHub's requests an hour: less than this share left is told as a warning."""


class CacheStatus(Protocol):
    """What is asked of the cache's own words (`gistapi.cache.CacheStatus`)."""

    @property
    def state(self) -> Literal["ok", "warn"]:
        """`warn` while reading or writing fails."""
        ...

    @property
    def message(self) -> str | None:
        """Which, naming no path or host."""
        ...

    @property
    def size_bytes(self) -> int | None:
        """None where that can't be said."""
        ...


@dataclass(frozen=True)
class Parts:
    """Where health looks: `searches` run now, of at most `max_searches`; `workers` are alive."""

    state: Callable[[], State]
    cache: Callable[[], CacheStatus]
    searches: Callable[[], int]
    max_searches: int
    workers: Callable[[], int]


class Health:
    """Remembers GitHub's last words (an Observer), and looks at the parts when it is asked."""

    def __init__(self) -> None:
        # Each with the time when it was told, in seconds since the epoch.
        self._contact: tuple[GithubRequestEnded, float] | None = None
        self._budget: tuple[GithubBudgetSeen, float] | None = None
        self._wait: tuple[GithubLimited, float] | None = None
        self._token_refused = False

    def observe(self, event: Event) -> None:
        """Remember what GitHub answered last, and what it said of its limits."""
        now = time.time()
        match event:
            case GithubRequestEnded(status=None, error="CancelledError" | "DeadlineError"):
                pass  # our own doing
            case GithubRequestEnded():
                self._contact = event, now
                if event.kind == "list" and event.status is not None:
                    self._token_refused = event.status == HTTPStatus.UNAUTHORIZED
            case GithubBudgetSeen():
                self._budget = event, now
            case GithubLimited():
                self._wait = event, now

    def report(self, parts: Parts | None, *, verbose: bool) -> dict[str, Any]:
        """The body of an answer; `status` is `pass`, `warn`, or `fail` while it is not ready."""
        state = "ready" if parts is None else parts.state()
        checks = {} if parts is None else _parts(parts)
        checks |= {"github:contact": self._check_contact(), "github:budget": self._check_budget()}
        body: dict[str, Any] = {"status": "pass", "version": version("gistapi")}
        if state != "ready":
            body |= {"status": "fail", "output": f"The service is {state}."}
        elif any(check["status"] == "warn" for check in checks.values()):
            body["status"] = "warn"
        if verbose:
            body["checks"] = {name: [check] for name, check in checks.items()}
        return body

    def _check_contact(self) -> Check:
        if self._contact is None:
            return {"status": "pass", "output": "GitHub was not asked yet."}
        last, at = self._contact
        check = {"status": "pass", "observedValue": last.status, "time": _time(at)}
        words = None
        if self._token_refused:
            words = "GitHub refuses the token."
        elif last.status is None:
            words = "GitHub did not answer."
        elif last.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            words = "GitHub answered with an error."
        return check | ({"status": "warn", "output": words} if words else {})

    def _check_budget(self) -> Check:
        now = time.time()
        if self._wait is not None and (ends := self._wait[1] + self._wait[0].wait_seconds) > now:
            words = f"{self._wait[0].host} asks not to be asked before {_time(ends)}."
            return {"status": "warn", "output": words, "time": _time(self._wait[1])}
        if self._budget is None:
            return {"status": "pass", "output": "GitHub has not told its budget yet."}
        budget, at = self._budget
        check: Check = {
            "status": "pass",
            "observedValue": budget.remaining,
            "observedUnit": f"of {budget.limit} requests",
            "time": _time(at),
        }
        reset = at + budget.reset_seconds
        if budget.remaining < budget.limit * LOW_BUDGET and reset > now:
            check |= {"status": "warn", "output": f"It is whole again at {_time(reset)}."}
        return check


def _parts(parts: Parts) -> dict[str, Check]:
    cache = parts.cache()
    told: Check = {"status": "pass" if cache.state == "ok" else "warn"}
    if cache.size_bytes is not None:
        told |= {"observedValue": cache.size_bytes, "observedUnit": "bytes"}
    if cache.message:
        told["output"] = cache.message
    searches = parts.searches()
    return {
        "cache": told,
        "searches": {
            "status": "warn" if searches >= parts.max_searches else "pass",
            "observedValue": searches,
            "observedUnit": f"of {parts.max_searches} searches",
        },
        "workers": {
            "status": "pass",
            "observedValue": parts.workers(),
            "observedUnit": "processes",
        },
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
