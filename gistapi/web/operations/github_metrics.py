"""Metrics of requests to GitHub: counts, limits, sources of contents, and each host's state."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache, partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gistapi.events import (
    ContentRead,
    GithubBudgetSeen,
    GithubLimited,
    GithubRequestEnded,
    Handlers,
    HostState,
)
from gistapi.web.operations.health import MAX_AHEAD_SECONDS
from gistapi.web.operations.search_metrics import SECONDS

CALLED_OFF = frozenset({"ByteQuotaError", "CancelledError", "DeadlineError"})
"""Errors by which the service itself ends a request to GitHub."""
_REFUSED = 400


class GithubMetrics:
    """The service's requests to GitHub, and their outcomes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        self.requests = counter(
            "gistapi_github_requests",
            "Requests to GitHub by outcome: a status, unanswered, broken in the body, or called_off"
            " by the service.",
            ("kind", "outcome"),
        )
        self.duration = Histogram(
            "gistapi_github_request_duration_seconds",
            "Time from sending a request to the end of its answer.",
            ("kind",),
            buckets=SECONDS,
            registry=registry,
        )
        self.received = counter(
            "gistapi_github_received_bytes",
            "Bytes of GitHub's answers, before decompression.",
            ("kind",),
        )
        self.limited = counter(
            "gistapi_github_limited", "Answers in which GitHub asked to wait.", ("kind",)
        )
        self.wait = counter(
            "gistapi_github_wait_seconds", "Time that GitHub asked to wait.", ("kind",)
        )
        self.contents = counter(
            "gistapi_github_contents",
            "Small files read from GitHub, by source and the reason why it was used.",
            ("way", "reason"),
        )
        self._hosts = _Hosts()
        registry.register(self._hosts)
        gauges = {
            "limit": "Hourly requests that GitHub's API allows.",
            "remaining": "Requests left until the reset.",
            "reset_timestamp_seconds": "When the budget resets.",
        }
        self.limit, self.remaining, self.reset = (
            Gauge(f"gistapi_github_budget_{name}", words, registry=registry)
            for name, words in gauges.items()
        )
        for gauge in (self.limit, self.remaining, self.reset):
            gauge.set(float("nan"))  # unknown so far, and 0 would raise an alert
        # Looked up once: these are counted for every file.
        self._counts = cache(self._counts_of)
        self._contents = cache(self.contents.labels)

    def watch(self, hosts: Callable[[], tuple[HostState, ...]]) -> None:
        """Read the hosts' state whenever the metrics are read."""
        self._hosts.read = hosts

    @property
    def handlers(self) -> Handlers:
        """Count requests, limits and contents."""
        return {
            GithubRequestEnded: self._request_ended,
            GithubBudgetSeen: self._budget_seen,
            GithubLimited: self._was_limited,
            ContentRead: lambda event: self._contents(event.way, event.reason).inc(),
        }

    def _was_limited(self, event: GithubLimited) -> None:
        self.limited.labels(event.kind).inc()
        self.wait.labels(event.kind).inc(max(0.0, event.wait_seconds))

    def _request_ended(self, event: GithubRequestEnded) -> None:
        requests, duration, received = self._counts(event.kind, _outcome(event))
        requests.inc()
        duration.observe(event.duration_seconds)
        received.inc(event.size_bytes)

    def _counts_of(self, kind: str, outcome: str) -> tuple[Counter, Histogram, Counter]:
        return (
            self.requests.labels(kind, outcome),
            self.duration.labels(kind),
            self.received.labels(kind),
        )

    def _budget_seen(self, event: GithubBudgetSeen) -> None:
        self.limit.set(event.limit)
        self.remaining.set(event.remaining)
        self.reset.set(time.time() + min(max(0.0, event.reset_seconds), MAX_AHEAD_SECONDS))


class _Hosts(Collector):
    """The state of each host, by what GitHub limits separately there, when the metrics are read."""

    gauges: tuple[tuple[str, str, Callable[[HostState], float | None]], ...] = (
        ("concurrency", "Requests that may run at once.", lambda s: s.concurrency),
        ("pace", "Requests a second, where a limit was met.", lambda s: s.pace),
        ("wait_seconds", "How long the host is left alone.", lambda s: s.wait_seconds),
        ("budget_remaining", "Requests left until the reset.", lambda s: s.budget),
    )

    counters: tuple[tuple[str, str, Callable[[HostState], float]], ...] = (
        ("requests", "Requests sent to the host.", lambda s: s.requests),
        ("refusals", "Answers in which the host asked to wait.", lambda s: s.refusals),
    )

    def __init__(self) -> None:
        self.read: Callable[[], tuple[HostState, ...]] = tuple

    def collect(self) -> Iterator[Metric]:
        states = self.read()
        for name, words, value_of in self.gauges:
            family = GaugeMetricFamily(
                f"gistapi_github_host_{name}", words, labels=("host", "resource")
            )
            for state in states:
                value = value_of(state)
                if value is not None:
                    family.add_metric((state.host, state.resource), value)
            yield family
        for name, words, count_of in self.counters:
            counter = CounterMetricFamily(
                f"gistapi_github_host_{name}", words, labels=("host", "resource")
            )
            for state in states:
                counter.add_metric((state.host, state.resource), count_of(state))
            yield counter


def _outcome(event: GithubRequestEnded) -> str:
    if event.status is not None and event.status >= _REFUSED:
        return str(event.status)
    if event.error in CALLED_OFF:
        return "called_off"
    if event.status is None:
        return "unanswered"
    return str(event.status) if event.error is None else "broken"
