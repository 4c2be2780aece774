"""When requests to a host of GitHub may be sent, for all searches. For the loop alone.

GitHub: obey `Retry-After`; else, if the budget is spent, wait for its reset; else at least a
minute, then exponentially longer.
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

from gistapi.errors import GithubRateLimitedError
from gistapi.events import GithubBudgetSeen, GithubLimited, HostState, Observer, Resource
from gistapi.github import api
from gistapi.github.throttle import Throttle

FIRST_WAIT_SECONDS = 60.0
"""The wait after a refusal that names none; it doubles with each further one."""
LONGEST_WAIT_SECONDS = api.WINDOW_SECONDS
SAME_SECONDS = 0.5
"""Waits that differ by less are the same one."""
MAX_CALLER_TOKENS = 1000
FAILURES_IN_A_ROW = 5
LEFT_SECONDS = 30.0
"""How long a host that fails is left alone, where another one has the same."""


class Permit:
    """The right to send one request to a host. `release` is idempotent."""

    def __init__(self, host: Host, probe: asyncio.Future[None] | None) -> None:
        self.host = host
        self.sent_at = host.now()
        self._probe = probe
        host.requests += 1

    def note(self, status: int, headers: api.Headers, body: bytes) -> float | None:
        """Record what the answer says; returns the seconds to wait if it is a refusal.

        From now on the next request may go if this was the only one allowed.
        """
        wait = self.host.note(self.sent_at, status, headers, body)
        self.release()
        return wait

    def fail(self) -> None:
        """Record that there was no answer, or one that says that the host is out of order."""
        self.host.fail(self.sent_at)

    def release(self) -> None:
        """Allow the next request, whatever the result of this one."""
        if self._probe is not None and not self._probe.done():
            self._probe.set_result(None)


class Host:
    """What one host allows: no request before `until`, then one, then the others.

    After a refusal the host is in doubt until an answer to a later request is no refusal; while it
    is, one request is under way at a time. Times are `loop.time()` seconds.
    """

    def __init__(
        self,
        name: str,
        resource: Resource,
        observe: Observer,
        most: int,
        *,
        is_callers: bool = False,
        refused: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.name = name
        self.resource = resource
        self.requests = 0
        self.refusals = 0
        self.throttle = Throttle(most)
        self.until = 0.0
        self.budget: api.Budget | None = None
        self._observe = observe
        self._is_callers = is_callers
        self._refused = refused
        self._budget_reset_at = 0.0
        self._unnamed_wait = 0.0
        self._refused_at: float | None = None
        self._last_limit: api.Limit | None = None
        self._failures = 0
        self._left_until = 0.0
        self._loop = asyncio.get_running_loop()
        self._probe: asyncio.Future[None] = self._loop.create_future()
        self._probe.set_result(None)

    def now(self) -> float:
        """The loop's clock, for any thread."""
        return self._loop.time()

    def wait_seconds(self) -> float:
        """How long no request may be sent to the host; 0 if one may."""
        return max(0.0, self.until - self.now()) if self.until else 0.0

    def is_open(self) -> bool:
        """Whether a request may be sent now: no wait, and no other one that tries it."""
        return self._probe.done() and (not self.until or self.until <= self.now())

    def is_limited(self) -> bool:
        """Whether the host's last answer was a refusal."""
        return self._refused_at is not None

    def has_left(self, reserve: float) -> bool:
        """Whether more of the budget is left than this part of it, as far as is known."""
        budget = self.budget
        if budget is None or self._budget_reset_at <= self.now():
            return True
        return budget.remaining > budget.limit * reserve

    def is_usable(self) -> bool:
        """Whether it is worth asking this host where another one has the same.

        Not while it wants a wait, tries whether a wait is over, or has failed several times in a
        row: then one request in LEFT_SECONDS tries.
        """
        if not self.is_open() or self._left_until > self.now():
            return False
        if self._failures >= FAILURES_IN_A_ROW:
            self._left_until = self.now() + LEFT_SECONDS
        return True

    async def wait(self, ends_at: float) -> None:
        """Return when a request may be sent, as far as is known.

        Raises GithubRateLimitedError at once if that is not before `ends_at`.
        """
        while not self.is_open():
            if (seconds := self.wait_seconds()) <= 0:
                await asyncio.wait([self._probe])
            elif self.now() + seconds < ends_at:
                await asyncio.sleep(seconds)
            else:
                raise self._error(seconds)

    def begin(self) -> Permit | None:
        """A permit to send a request now, to be released; None if it has to `wait` again."""
        if not self.is_open():
            return None
        if self._refused_at is None:
            return Permit(self, None)
        self._probe = self._loop.create_future()
        return Permit(self, self._probe)

    def note(self, sent_at: float, status: int, headers: api.Headers, body: bytes) -> float | None:
        """Remember what an answer to a request sent at `sent_at` says.

        Returns the seconds to wait if the answer is a refusal.
        """
        now = time.time()
        limit = api.limit(status, headers, body, now)
        budget = api.budget(headers, now)
        if budget is not None:
            self.budget = budget
            self._budget_reset_at = self.now() + budget.reset_seconds
            if not self._is_callers and self.resource != "graphql":
                self._observe(
                    GithubBudgetSeen(budget.limit, budget.remaining, budget.reset_seconds)
                )
        if limit is not None:
            self.refusals += 1
            self.throttle.refused(sent_at)
            self._last_limit = limit
            wait = self._refuse(sent_at, limit.wait_seconds)
            self._observe(GithubLimited(self.name, limit.kind, wait))
            return wait
        if budget is not None and budget.remaining <= 0:
            self._last_limit = api.Limit("primary", budget.reset_seconds)
            self._refuse(sent_at, budget.reset_seconds)
        elif status < api.SERVER_ERROR:
            self._accept(sent_at)
        if status < api.SERVER_ERROR:
            self._failures, self._left_until = 0, 0.0
            self.throttle.accepted(sent_at)
        else:
            self.fail(sent_at)
        return None

    def fail(self, sent_at: float) -> None:
        """Count a failure: no answer, or one from 500 on."""
        self._failures += 1
        if self._failures == FAILURES_IN_A_ROW:
            self._left_until = self.now() + LEFT_SECONDS
            self.throttle.failed(sent_at)

    def _refuse(self, sent_at: float, seconds: float | None) -> float:
        """Wait this long, or ever longer where that is None; returns the seconds."""
        if seconds is None:
            if sent_at >= self.until:  # refusals of requests that were sent together count once
                self._unnamed_wait = max(FIRST_WAIT_SECONDS, 2 * self._unnamed_wait)
            seconds = self._unnamed_wait or FIRST_WAIT_SECONDS
        self._unnamed_wait = min(self._unnamed_wait, LONGEST_WAIT_SECONDS)
        seconds = min(seconds, LONGEST_WAIT_SECONDS)
        self._refused_at = self.now()
        self.until = max(self.until, self._refused_at + seconds)
        self._refused(seconds)
        return seconds

    def leave_alone(self, seconds: float) -> None:
        """Wait as another instance was asked to."""
        until = self.now() + min(seconds, LONGEST_WAIT_SECONDS)
        if until > self.until + SAME_SECONDS:
            self.until, self._refused_at = until, self.now()

    def _accept(self, sent_at: float) -> None:
        """End the doubt, unless the request was sent before the refusal."""
        if self._refused_at is not None and sent_at > self._refused_at:
            self._refused_at = None
            self._unnamed_wait = 0.0

    def state(self) -> HostState:
        """What is known of the host now; for any thread."""
        budget = self.budget
        return HostState(
            host=self.name,
            resource=self.resource,
            requests=self.requests,
            refusals=self.refusals,
            concurrency=self.throttle.concurrency,
            pace=self.throttle.pace,
            wait_seconds=self.wait_seconds(),
            budget=None if budget is None else budget.remaining,
            budget_limit=None if budget is None else budget.limit,
            budget_reset_seconds=(
                None if budget is None else max(0.0, self._budget_reset_at - self.now())
            ),
        )

    def _error(self, seconds: float) -> GithubRateLimitedError:
        budget, limit = self.budget, self._last_limit
        if budget is not None and limit is not None and limit.kind == "primary":
            at = datetime.fromtimestamp(time.time() + seconds, UTC)
            words = (
                f"GitHub's hourly limit ({budget.limit:,} requests) is used up until"
                f" {at:%H:%M} UTC."
            )
            if budget.limit <= api.ANONYMOUS_LIMIT:
                words += " A GitHub token raises it to 5,000 (GISTAPI_GITHUB_TOKEN)."
        else:
            words = f"GitHub's rate limit is exhausted. Try again in {seconds:.0f} seconds."
        return GithubRateLimitedError(words, seconds)


class HostLimits:
    """The hosts that were asked, by what GitHub limits separately there.

    A caller's own token has a budget of its own.
    """

    def __init__(
        self,
        observe: Observer,
        concurrency_total: int,
        refused: Callable[[Host, float], None] = lambda *_: None,
    ) -> None:
        self._observe = observe
        self._most = concurrency_total
        self._refused = refused
        self._hosts: dict[tuple[str, Resource], Host] = {}
        self._callers: OrderedDict[str, Host] = OrderedDict()

    def host(self, name: str, resource: Resource, caller_token: str | None = None) -> Host:
        """The state of a host, for the service's token or a caller's."""
        if caller_token is None:
            key = name, resource
            if key not in self._hosts:
                host = Host(
                    name,
                    resource,
                    self._observe,
                    self._most,
                    refused=lambda seconds: self._refused(self._hosts[key], seconds),
                )
                self._hosts[key] = host
            return self._hosts[key]
        digest = hashlib.sha256(f"{name} {resource} {caller_token}".encode()).hexdigest()
        if digest not in self._callers:
            self._callers[digest] = Host(name, resource, self._observe, self._most, is_callers=True)
            if len(self._callers) > MAX_CALLER_TOKENS:
                self._callers.popitem(last=False)
        self._callers.move_to_end(digest)
        return self._callers[digest]

    def own(self) -> tuple[Host, ...]:
        """The hosts that were asked for the service itself."""
        return tuple(self._hosts.values())

    def states(self) -> tuple[HostState, ...]:
        """What is known of each host that the service has asked; for any thread."""
        return tuple(host.state() for host in list(self._hosts.values()))
