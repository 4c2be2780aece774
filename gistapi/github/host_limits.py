"""When a host of GitHub may be asked again: remembered across searches."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from http import HTTPStatus

from gistapi.aio.deadline import Deadline
from gistapi.errors import GithubRateLimitedError
from gistapi.events import GithubBudgetSeen, GithubLimited, Observer
from gistapi.github import api

UNTOLD_WAIT_SECONDS = 60.0
"""GitHub: "wait for at least one minute", then exponentially longer, where it tells no time."""
LONGEST_UNTOLD_WAIT_SECONDS = 3600.0


@dataclass(slots=True)
class _Host:
    """`until`: not to be asked before; `untold` is the last wait of which it told no length."""

    until: float = 0.0
    untold: float = 0.0


class HostLimits:
    """What each host asked for. Moments are `time.monotonic()` seconds."""

    def __init__(self, observe: Observer) -> None:
        self._observe = observe
        self._lock = threading.Lock()
        self._hosts: dict[str, _Host] = {}

    def wait(self, host: str, deadline: Deadline) -> None:
        """Return when `host` may be asked.

        Raises GithubRateLimitedError at once if that would be after the deadline.
        """
        while (seconds := self.wait_seconds(host)) > 0:
            if seconds >= deadline.remaining():
                deadline.check()
                raise GithubRateLimitedError(
                    f"{host} asks not to be asked for {seconds:.0f} more seconds.", seconds
                )
            deadline.sleep(seconds)

    def wait_seconds(self, host: str) -> float:
        """How long `host` must not be asked, 0 if it may be."""
        with self._lock:
            known = self._hosts.get(host)
            return 0.0 if known is None else max(0.0, known.until - time.monotonic())

    def note(self, host: str, status: int, headers: api.Headers, body: bytes) -> float | None:
        """Remember what an answer says about limits; the seconds to wait if it is a refusal."""
        now = time.time()
        limit = api.limit(status, headers, body, now)
        left = api.budget(headers, now)
        if left is not None:
            self._observe(GithubBudgetSeen(left.limit, left.remaining, left.reset_seconds))
        if limit is not None:
            wait = self._refused(host, limit.wait_seconds)
            self._observe(GithubLimited(host, limit.kind, wait))
            return wait
        if left is not None and left.remaining <= 0:
            self._refused(host, left.reset_seconds)
        elif status < HTTPStatus.BAD_REQUEST:
            self._forgive(host)
        return None

    def _refused(self, host: str, seconds: float | None) -> float:
        """Wait so long, or ever longer where that is None; returns the seconds."""
        now = time.monotonic()
        with self._lock:
            known = self._hosts.setdefault(host, _Host())
            if seconds is None:
                if known.until <= now:  # answers to requests sent together count once
                    known.untold = min(
                        LONGEST_UNTOLD_WAIT_SECONDS, max(UNTOLD_WAIT_SECONDS, 2 * known.untold)
                    )
                seconds = known.untold or UNTOLD_WAIT_SECONDS
            known.until = max(known.until, now + seconds)
            return seconds

    def _forgive(self, host: str) -> None:
        with self._lock:
            if host in self._hosts:
                self._hosts[host].untold = 0.0
