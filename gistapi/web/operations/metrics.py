"""The metrics, for Prometheus: names and units follow its conventions.

https://prometheus.io/docs/practices/naming/. No label holds a user's name, a pattern or a gist.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from gistapi.events import (
    CacheFailed,
    CacheRead,
    Event,
    FileScanned,
    GithubBudgetSeen,
    GithubLimited,
    GithubRequestEnded,
    NotSearched,
    SearchEnded,
    WorkerKilled,
)
from gistapi.web.operations.health import MAX_AHEAD_SECONDS
from gistapi.web.operations.search_metrics import SECONDS, SearchMetrics

CALLED_OFF = frozenset({"ByteQuotaError", "CancelledError", "DeadlineError"})
"""Errors by which the service itself ends a request to GitHub."""
_REFUSED = 400


class Metrics:
    """The metrics of one application, in a registry of its own. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._http = _Http(self.registry)
        self._github = _Github(self.registry)
        self._search = SearchMetrics(self.registry)
        self._cache = _Cache(self.registry)
        self.registry.register(_Process())

    def observe(self, event: Event) -> None:
        """Count an event (an Observer)."""
        match event:
            case FileScanned():
                self._search.file_scanned(event)
            case GithubRequestEnded():
                self._github.request_ended(event)
            case GithubBudgetSeen():
                self._github.budget_seen(event)
            case GithubLimited():
                self._github.limited.labels(event.kind).inc()
                self._github.wait.labels(event.kind).inc(max(0.0, event.wait_seconds))
            case WorkerKilled():
                self._search.workers_killed.labels(event.reason).inc()
            case CacheRead():
                self._cache.reads.labels(event.kind, "hit").inc(event.hits)
                self._cache.reads.labels(event.kind, "miss").inc(event.misses)
            case CacheFailed():
                self._cache.failures.labels(event.operation).inc()
            case SearchEnded():
                self._search.ended(event)
            case NotSearched():
                self._search.missed(event)

    def request_began(self) -> None:
        """Count a request that has arrived."""
        self._http.in_progress.inc()

    def request_ended(self, route: str, status: int, duration_seconds: float) -> None:
        """Count a request whose answer is sent or aborted; `route` is a rule or `none`."""
        self._http.in_progress.dec()
        self._http.requests.labels(route, str(status)).inc()
        self._http.duration.labels(route).observe(duration_seconds)

    def watch(
        self,
        *,
        searches: Callable[[], float],
        workers: Callable[[], float],
        cache_bytes: Callable[[], float],
    ) -> None:
        """Read these whenever the metrics are read."""
        self._search.in_progress.set_function(searches)
        self._search.workers.set_function(workers)
        self._cache.size.set_function(cache_bytes)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All metrics in the format that `Accept` asks for, and its media type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class _Process(Collector):
    """The process and its version, read only when the metrics are read."""

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(
            "gistapi_build", "Which version runs.", {"version": version("gistgrep")}
        )
        for kind in (ProcessCollector, PlatformCollector, GCCollector):
            yield from kind(registry=CollectorRegistry()).collect()


class _Http:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "gistapi_http_requests",
            "Requests answered; a stream counts when it ends.",
            ("route", "status"),
            registry=registry,
        )
        self.duration = Histogram(
            "gistapi_http_request_duration_seconds",
            "Time from a request's head to the end of its answer.",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self.in_progress = Gauge(
            "gistapi_http_requests_in_progress", "Requests being answered.", registry=registry
        )


class _Github:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "gistapi_github_requests",
            "Requests to GitHub by outcome: a status, unanswered, broken in the body, or called_off"
            " by the service.",
            ("kind", "outcome"),
            registry=registry,
        )
        self.duration = Histogram(
            "gistapi_github_request_duration_seconds",
            "Time from sending a request to the end of its answer.",
            ("kind",),
            buckets=SECONDS,
            registry=registry,
        )
        self.received = Counter(
            "gistapi_github_received_bytes",
            "Bytes of GitHub's answers, before decompression.",
            ("kind",),
            registry=registry,
        )
        self.limited = Counter(
            "gistapi_github_limited",
            "Answers in which GitHub asked to wait.",
            ("kind",),
            registry=registry,
        )
        self.wait = Counter(
            "gistapi_github_wait_seconds",
            "Time that GitHub asked to wait.",
            ("kind",),
            registry=registry,
        )
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
        self._counts = cache(self._counts_of)  # looked up once: this is counted for every file

    def request_ended(self, event: GithubRequestEnded) -> None:
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

    def budget_seen(self, event: GithubBudgetSeen) -> None:
        self.limit.set(event.limit)
        self.remaining.set(event.remaining)
        self.reset.set(time.time() + min(max(0.0, event.reset_seconds), MAX_AHEAD_SECONDS))


class _Cache:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.reads = Counter(
            "gistapi_cache_reads",
            "Lookups in the cache by result.",
            ("kind", "result"),
            registry=registry,
        )
        self.failures = Counter(
            "gistapi_cache_failures",
            "Operations of the cache that failed; searches went on without it.",
            ("operation",),
            registry=registry,
        )
        self.size = Gauge(
            "gistapi_cache_size_bytes",
            "Size of the cache; NaN if it is shared or unknown.",
            registry=registry,
        )


def _outcome(event: GithubRequestEnded) -> str:
    if event.status is not None and event.status >= _REFUSED:
        return str(event.status)
    if event.error in CALLED_OFF:
        return "called_off"
    if event.status is None:
        return "unanswered"
    return str(event.status) if event.error is None else "broken"
