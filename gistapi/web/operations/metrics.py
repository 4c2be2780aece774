"""What is counted, for Prometheus: names and units as its conventions have them.

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
    SearchEnded,
    WorkerKilled,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_CALLED_OFF = {"ByteQuotaError", "CancelledError", "DeadlineError"}
_REFUSED = 400


class Metrics:
    """The counts of one application, in a registry of its own. For any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._http = _Http(self.registry)
        self._github = _Github(self.registry)
        self._search = _Search(self.registry)
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

    def request_began(self) -> None:
        """A request has come."""
        self._http.in_progress.inc()

    def request_ended(self, route: str, status: int, duration_seconds: float) -> None:
        """Its answer is sent, or given up; `route` is a rule of the application, or a word."""
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
        """Ask these whenever the metrics are read."""
        self._search.in_progress.set_function(searches)
        self._search.workers.set_function(workers)
        self._cache.size.set_function(cache_bytes)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All of it in the format that `Accept` asks for, and that format's media type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class _Process(Collector):
    """The process and the program in it: looked at when somebody asks, not before."""

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(
            "gistapi_build", "Which version runs.", {"version": version("gistapi")}
        )
        for kind in (ProcessCollector, PlatformCollector, GCCollector):
            yield from kind(registry=CollectorRegistry()).collect()


class _Http:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "gistapi_http_requests",
            "Requests answered, a stream when it is at its end.",
            ("route", "status"),
            registry=registry,
        )
        self.duration = Histogram(
            "gistapi_http_request_duration_seconds",
            "From a request's head to the last byte of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_progress = Gauge(
            "gistapi_http_requests_in_progress", "Requests being answered.", registry=registry
        )


class _Github:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "gistapi_github_requests",
            "Requests to GitHub that ended: with a status, unanswered, broken in the body, or"
            " called_off by us.",
            ("kind", "outcome"),
            registry=registry,
        )
        self.duration = Histogram(
            "gistapi_github_request_duration_seconds",
            "From sending a request to the end of reading its answer.",
            ("kind",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.received = Counter(
            "gistapi_github_received_bytes",
            "Bytes of GitHub's answers, as they came.",
            ("kind",),
            registry=registry,
        )
        self.limited = Counter(
            "gistapi_github_limited",
            "Answers by which GitHub asked for a wait.",
            ("kind",),
            registry=registry,
        )
        self.wait = Counter(
            "gistapi_github_wait_seconds",
            "Time that GitHub asked not to be asked.",
            ("kind",),
            registry=registry,
        )
        gauges = {
            "limit": "Requests an hour that GitHub's API allows us.",
            "remaining": "Requests that are left until the reset.",
            "reset_timestamp_seconds": "When the budget is whole again.",
        }
        self.limit, self.remaining, self.reset = (
            Gauge(f"gistapi_github_budget_{name}", words, registry=registry)
            for name, words in gauges.items()
        )
        for gauge in (self.limit, self.remaining, self.reset):
            gauge.set(float("nan"))  # GitHub has not told yet, and 0 would be an alarm
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
        self.reset.set(time.time() + event.reset_seconds)


class _Search:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.searches = Counter(
            "gistapi_searches",
            "Searches that ended: success, partial, cancelled, or an error's name.",
            ("outcome",),
            registry=registry,
        )
        self.duration = Histogram(
            "gistapi_search_duration_seconds",
            "How long searches took.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_progress = Gauge(
            "gistapi_searches_in_progress", "Searches that run.", registry=registry
        )
        totals = {
            "files": ("gistapi_scanned_files", "Files that went through a matching engine."),
            "bytes": ("gistapi_scanned_bytes", "Bytes of text that did."),
            "seconds": ("gistapi_scan_seconds", "Time that the engines took."),
        }
        counters = {
            name: Counter(full, words, ("engine",), registry=registry)
            for name, (full, words) in totals.items()
        }
        # Looked up once: this is counted for every file.
        self._scanned = {
            engine: tuple(counters[name].labels(engine) for name in totals)
            for engine in ("re2", "re")
        }
        self.workers = Gauge(
            "gistapi_matching_workers", "Matching processes alive.", registry=registry
        )
        self.workers_killed = Counter(
            "gistapi_matching_workers_killed",
            "Matching processes that hit their deadline (timeout), died or could not be started.",
            ("reason",),
            registry=registry,
        )
        for reason in ("timeout", "died", "not_started"):
            self.workers_killed.labels(reason)  # so that the first is seen as an increase

    def file_scanned(self, event: FileScanned) -> None:
        files, size, seconds = self._scanned[event.engine]
        files.inc(event.files)
        size.inc(event.size_bytes)
        seconds.inc(event.duration_seconds)

    def ended(self, event: SearchEnded) -> None:
        self.searches.labels(event.outcome).inc()
        self.duration.observe(event.duration_seconds)


class _Cache:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.reads = Counter(
            "gistapi_cache_reads",
            "What was asked of the cache, by what was there.",
            ("kind", "result"),
            registry=registry,
        )
        self.failures = Counter(
            "gistapi_cache_failures",
            "What the cache could not do; searches went on without it.",
            ("operation",),
            registry=registry,
        )
        self.size = Gauge(
            "gistapi_cache_size_bytes",
            "What the cache takes up; NaN where it is not ours alone, or not looked at.",
            registry=registry,
        )


def _outcome(event: GithubRequestEnded) -> str:
    if event.status is not None and event.status >= _REFUSED:
        return str(event.status)
    if event.error in _CALLED_OFF:
        return "called_off"
    if event.status is None:
        return "unanswered"
    return str(event.status) if event.error is None else "broken"
