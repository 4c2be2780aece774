"""The health of the service and of what it depends on.

The shape is that of application/health+json (draft-inadarei-api-health-check-06).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Literal

from gistapi.events import (
    CacheStatus,
    GithubBudgetSeen,
    GithubLimited,
    GithubRequestEnded,
    Handlers,
    HostState,
)
from gistapi.search.times import format_time

State = Literal["starting", "ready", "stopping"]
Check = dict[str, Any]
LOW_BUDGET = 0.1
"""The share of GitHub's hourly requests below which health warns."""
MAX_AHEAD_SECONDS = 24 * 3600.0
"""The latest time shown, from now: GitHub's clock and headers may be wrong."""


@dataclass(frozen=True)
class Parts:
    """The sources of health: `searches` run, of at most `max_searches`; `workers` are alive.

    `warnings` are remarks on the configuration, one sentence each; `tasks` lists what the
    event loop's tasks wait for; `hosts` is the state of each of GitHub's hosts used so far.
    """

    state: Callable[[], State]
    cache: Callable[[], CacheStatus]
    searches: Callable[[], int]
    max_searches: int
    workers: Callable[[], int]
    warnings: Callable[[], tuple[str, ...]] = tuple
    tasks: Callable[[], list[str]] = list
    hosts: Callable[[], tuple[HostState, ...]] = tuple


class Health:
    """Records GitHub's last answers and reads the parts on request."""

    def __init__(self) -> None:
        # Each with the time when it was observed, in seconds since the epoch.
        self._contact: tuple[GithubRequestEnded, float] | None = None
        self._budget: tuple[GithubBudgetSeen, float] | None = None
        self._wait: tuple[GithubLimited, float] | None = None
        self._token_refused = False

    @property
    def handlers(self) -> Handlers:
        """Record GitHub's last answer and the state of its limits."""
        return {
            GithubRequestEnded: self._request_ended,
            GithubBudgetSeen: self._budget_seen,
            GithubLimited: self._limited,
        }

    def _request_ended(self, event: GithubRequestEnded) -> None:
        if event.status is None and event.error in {"CancelledError", "DeadlineError"}:
            return  # the service ended it
        self._contact = event, time.time()
        if event.kind == "list" and event.status is not None:
            self._token_refused = event.status == HTTPStatus.UNAUTHORIZED

    def _budget_seen(self, event: GithubBudgetSeen) -> None:
        self._budget = event, time.time()

    def _limited(self, event: GithubLimited) -> None:
        self._wait = event, time.time()

    def report(self, parts: Parts | None, *, verbose: bool) -> dict[str, Any]:
        """The body of an answer; `status` is `fail` while starting or stopping."""
        state = "ready" if parts is None else parts.state()
        checks = {} if parts is None else _parts(parts)
        checks |= {"github:contact": self._check_contact(), "github:budget": self._check_budget()}
        body: dict[str, Any] = {"status": "pass", "version": version("gistgrep")}
        if state != "ready":
            body |= {"status": "fail", "output": f"The service is {state}."}
        elif any(check["status"] == "warn" for check in checks.values()):
            body["status"] = "warn"
        if verbose:
            body["checks"] = {name: [check] for name, check in checks.items()}
            body["checks"]["github:hosts"] = [] if parts is None else _hosts(parts.hosts())
            body["tasks"] = [] if parts is None else parts.tasks()
        return body

    def _check_contact(self) -> Check:
        if self._contact is None:
            return {"status": "pass", "output": "No request has been sent to GitHub yet."}
        last, at = self._contact
        check = {"status": "pass", "observedValue": last.status, "time": _time(at)}
        words = None
        if self._token_refused:
            words = "GitHub refuses the token (401)."
        elif last.status is None:
            words = f"{last.host} did not answer."
        elif last.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            words = f"{last.host} answered {last.status}."
        return check | ({"status": "warn", "output": words} if words else {})

    def _check_budget(self) -> Check:
        now = time.time()
        if (
            self._wait is not None
            and (ends := _ahead(self._wait[1], self._wait[0].wait_seconds)) > now
        ):
            words = f"{self._wait[0].host} takes no requests before {_time(ends)}."
            return {"status": "warn", "output": words, "time": _time(self._wait[1])}
        if self._budget is None:
            return {"status": "pass", "output": "GitHub has not reported a budget yet."}
        budget, at = self._budget
        check: Check = {
            "status": "pass",
            "observedValue": budget.remaining,
            "observedUnit": f"of {budget.limit} requests",
            "time": _time(at),
        }
        reset = _ahead(at, budget.reset_seconds)
        if budget.remaining < budget.limit * LOW_BUDGET and reset > now:
            check |= {"status": "warn", "output": f"The budget resets at {_time(reset)}."}
        return check


def _parts(parts: Parts) -> dict[str, Check]:
    cache = parts.cache()
    stored: Check = {"status": "pass" if cache.state == "ok" else "warn"}
    if cache.size_bytes is not None:
        stored |= {"observedValue": cache.size_bytes, "observedUnit": "bytes"}
    if cache.message:
        stored["output"] = cache.message
    searches = parts.searches()
    standing: Check = {"status": "pass"}
    if remarks := parts.warnings():
        standing = {"status": "warn", "output": " ".join(remarks)}
    return {
        "configuration": standing,
        "cache": stored,
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


def _hosts(states: Iterable[HostState]) -> list[Check]:
    """A check for each host; one that asks for a wait is a warning."""
    checks = []
    for state in states:
        check: Check = {
            "componentId": f"{state.host} ({state.resource})",
            "status": "pass",
            "observedValue": state.concurrency,
            "observedUnit": "requests at once",
            "requests": state.requests,
            "refusals": state.refusals,
        }
        if state.pace is not None:
            check["requestsPerSecond"] = round(state.pace, 1)
        if state.budget is not None:
            reset = _ahead(time.time(), state.budget_reset_seconds or 0.0)
            check |= {"budget": state.budget, "budgetLimit": state.budget_limit}
            check["budgetReset"] = _time(reset)
        if state.wait_seconds > 0:
            ends = _time(_ahead(time.time(), state.wait_seconds))
            check |= {"status": "warn", "output": f"Left alone until {ends}."}
        checks.append(check)
    return checks


def _ahead(now: float, seconds: float) -> float:
    return now + min(max(0.0, seconds), MAX_AHEAD_SECONDS)


def _time(seconds: float) -> str:
    return format_time(datetime.fromtimestamp(seconds, UTC))
