"""Limits of one caller: requests, concurrent searches, requests to GitHub and bytes from it.

Reported as https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-10.html defines.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Response, after_this_request, g

from gistapi.aio.scope import UNMETERED, UsageMeter
from gistapi.errors import OverloadedError, RateLimitedError
from gistapi.quota.counters import Counters, Rate
from gistapi.quota.leases import BYTES_BATCH, REQUESTS_BATCH, QuotaLease, SearchMeter
from gistapi.web.protection.client_ip import network_of

DAY_SECONDS = 24 * 3600
LIFE_SECONDS = 10 * 365 * DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits of each caller; None is unlimited.

    `period`, `day` and `key_total` count requests (the last over the life of a key), `searches`
    those at once. `github_requests` and `github_bytes` (a day) count what searches use of GitHub.
    """

    period: Rate | None = None
    day: int | None = None
    key_total: int | None = None
    searches: int | None = None
    github_requests: Rate | None = None
    github_bytes: int | None = None


class RateLimits:
    """Counts callers' requests and refuses those over the policy."""

    def __init__(self, policy: Policy, counters: Counters) -> None:
        self._policy = policy
        self._counters = counters
        self._slots = _Slots(policy.searches)

    @property
    def counts(self) -> bool:
        """Whether a search uses up a quota, and not only a place while it runs."""
        policy = self._policy
        return any((policy.period, policy.day, policy.github_requests, policy.github_bytes))

    def admit(self, caller: str, *, with_key: bool) -> None:
        """Count this request of a caller (see `caller_of`) and meter its search.

        Raises OverloadedError for too many concurrent searches and RateLimitedError for too many
        requests. The answer, a refusal too, reports the state of all limits.
        """
        fields = _Fields()
        after_this_request(fields.put)
        self._begin(caller)
        for name, rate in self._rates(with_key=with_key).items():
            self._count(name, rate, caller, fields)
        requests = self._policy.github_requests
        size = _a_day(self._policy.github_bytes)
        search = SearchMeter(
            self._share("github", requests, REQUESTS_BATCH, caller, fields),
            self._share("bytes", size, BYTES_BATCH, caller, fields),
        )
        search.open()
        g.meter = search
        _when_answered(search.close)

    def _begin(self, caller: str) -> None:
        if not self._slots.take(caller):
            raise OverloadedError(
                "You have too many searches running. Try again when one has ended.", 1.0
            )
        _when_answered(lambda: self._slots.give_back(caller))

    def _rates(self, *, with_key: bool) -> dict[str, Rate]:
        policy = self._policy
        rates: dict[str, Rate | None] = {
            "search": policy.period,
            "day": _a_day(policy.day),
        }
        if with_key and policy.key_total is not None:
            rates["total"] = Rate(policy.key_total, LIFE_SECONDS)
        return {name: rate for name, rate in rates.items() if rate is not None}

    def _count(self, name: str, rate: Rate, caller: str, fields: _Fields) -> None:
        count = self._counters.add(f"{name}:{caller}", rate.window_seconds)
        fields.rates[name] = rate
        if count is None:
            return
        fields.counts[name] = max(0, rate.amount - count.used), count.ends_in_seconds
        if count.used > rate.amount:
            raise RateLimitedError(
                _exceeded(name, rate, count.ends_in_seconds), count.ends_in_seconds
            )

    def _share(
        self, name: str, rate: Rate | None, batch: int, caller: str, fields: _Fields
    ) -> QuotaLease | None:
        if rate is None:
            return None
        fields.rates[name] = rate
        fields.shares[name] = QuotaLease(self._counters, f"{name}:{caller}", rate, batch)
        return fields.shares[name]


@dataclass
class _Fields:
    """The RateLimit fields: each limit's rate, what is left of it and for how many seconds."""

    rates: dict[str, Rate] = field(default_factory=dict)
    counts: dict[str, tuple[int, float]] = field(default_factory=dict)
    shares: dict[str, QuotaLease] = field(default_factory=dict)

    def put(self, response: Response) -> Response:
        """Add the fields to an answer."""
        for name, share in self.shares.items():
            if share.left is not None:
                self.counts[name] = share.left, share.ends_in_seconds
        policy = [
            f'"{name}";q={rate.amount}' + ("" if name == "total" else f";w={rate.window_seconds}")
            for name, rate in self.rates.items()
        ]
        state = [
            f'"{name}";r={left}' + ("" if name == "total" else f";t={math.ceil(ends_in)}")
            for name, (left, ends_in) in self.counts.items()
        ]
        for header, members in (("RateLimit-Policy", policy), ("RateLimit", state)):
            if members:
                response.headers[header] = ", ".join(members)
        return response


class _Slots:
    """The searches that each caller has running in this process."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def take(self, caller: str) -> bool:
        with self._lock:
            if self._most is not None and self._taken[caller] >= self._most:
                return False
            self._taken[caller] += 1
            return True

    def give_back(self, caller: str) -> None:
        with self._lock:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]


def _a_day(amount: int | None) -> Rate | None:
    return None if amount is None else Rate(amount, DAY_SECONDS)


def _exceeded(name: str, rate: Rate, seconds: float) -> str:
    if name == "total":
        return f"The key has made all of its {rate.amount} requests. Ask the operator for another."
    wait = max(1, math.ceil(seconds))
    return (
        f"Rate limit exceeded: {rate.amount} requests per {rate.window_seconds} seconds."
        f" Try again in {wait} second{'s' * (wait != 1)}."
    )


def caller_of(address: str, key_sha256: str | None) -> str:
    """The caller that limits count: a key, wherever it is used, else a network."""
    if key_sha256 is not None:
        return f"key:{key_sha256[:16]}"
    return f"address:{network_of(address)}"


def meter() -> UsageMeter:
    """The meter of this request's search."""
    found: UsageMeter = g.get("meter", UNMETERED)
    return found


def _when_answered(work: Callable[[], None]) -> None:
    """Run `work` when the answer is sent or aborted."""

    def register(response: Response) -> Response:
        response.call_on_close(work)
        return response

    after_this_request(register)
