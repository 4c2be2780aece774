"""How much one caller may ask: requests, searches at once, and what they take of GitHub.

Told as https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-10.html has it.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Response, after_this_request

from gistapi.errors import OverloadedError, RateLimitedError
from gistapi.quota.counters import Counters, Rate
from gistapi.quota.leases import BYTES_BATCH, REQUESTS_BATCH, QuotaLease, SearchMeter
from gistapi.quota.usage import NOBODYS, account
from gistapi.web.protection.client_ip import address_of

DAY_SECONDS = 24 * 3600
LIFE_SECONDS = 10 * 365 * DAY_SECONDS
IPV6_PREFIX = 64
"""What one subscriber is given at least, and changes his address in as he likes (RFC 6177)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What each caller may; None is without limit.

    `period`, `day` and `key_total` are requests (the last for the life of a key); `searches` is how
    many at once; `github_requests` and `github_bytes` (a day) are what searches take of GitHub.
    """

    period: Rate | None = None
    day: int | None = None
    key_total: int | None = None
    searches: int | None = None
    github_requests: Rate | None = None
    github_bytes: int | None = None


class RateLimits:
    """Counts what callers do, and refuses what is too much."""

    def __init__(self, policy: Policy, counters: Counters) -> None:
        self._policy = policy
        self._counters = counters
        self._slots = _Slots(policy.searches)

    def admit(self, caller: str, *, with_key: bool) -> None:
        """Count this request of a caller (see `caller_of`), and what its search takes.

        Raises OverloadedError for more searches at once and RateLimitedError for more requests
        than he may make. The answer, a refusal too, tells how all his limits stand.
        """
        told = _Told()
        after_this_request(told.put)
        self._begin(caller)
        for name, rate in self._rates(with_key=with_key).items():
            self._count(name, rate, caller, told)
        requests = self._policy.github_requests
        size = _a_day(self._policy.github_bytes)
        search = SearchMeter(
            self._share("github", requests, REQUESTS_BATCH, caller, told),
            self._share("bytes", size, BYTES_BATCH, caller, told),
        )
        search.open()
        account.set(search)
        after_this_request(_leave)
        _when_answered(search.close)

    def _begin(self, caller: str) -> None:
        if not self._slots.take(caller):
            raise OverloadedError("Too many searches of yours at once.", 1.0)
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

    def _count(self, name: str, rate: Rate, caller: str, told: _Told) -> None:
        count = self._counters.add(f"{name}:{caller}", rate.window_seconds)
        told.rates[name] = rate
        if count is None:
            return
        told.counts[name] = max(0, rate.amount - count.used), count.ends_in_seconds
        if count.used > rate.amount:
            span = "" if name == "total" else f" in {rate.window_seconds} seconds"
            words = f"You may make {rate.amount} requests{span}, and have."
            raise RateLimitedError(words, count.ends_in_seconds)

    def _share(
        self, name: str, rate: Rate | None, batch: int, caller: str, told: _Told
    ) -> QuotaLease | None:
        if rate is None:
            return None
        told.rates[name] = rate
        told.shares[name] = QuotaLease(self._counters, f"{name}:{caller}", rate, batch)
        return told.shares[name]


@dataclass
class _Told:
    """What an answer says of the limits: each one's rate, and what is left for how many seconds."""

    rates: dict[str, Rate] = field(default_factory=dict)
    counts: dict[str, tuple[int, float]] = field(default_factory=dict)
    shares: dict[str, QuotaLease] = field(default_factory=dict)

    def put(self, response: Response) -> Response:
        """Write it into the answer's head."""
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
    """How many searches each caller has under way, in this process."""

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


def caller_of(address: str, key_sha256: str | None) -> str:
    """Whom limits count: a key wherever it comes from, else an address, of IPv6 its network."""
    if key_sha256 is not None:
        return f"key:{key_sha256[:16]}"
    parsed = address_of(address)
    if parsed is None:
        return f"address:{address}"
    if isinstance(parsed, ipaddress.IPv6Address):
        network = ipaddress.ip_network((int(parsed), IPV6_PREFIX), strict=False)
        return f"address:{network.network_address}/{IPV6_PREFIX}"
    return f"address:{parsed}"


def _leave(response: Response) -> Response:
    """Let the thread work on nobody's account: those of the search have a context of their own."""
    account.set(NOBODYS)
    return response


def _when_answered(work: Callable[[], None]) -> None:
    """Do it when the answer is at its end, or given up."""

    def register(response: Response) -> Response:
        response.call_on_close(work)
        return response

    after_this_request(register)
