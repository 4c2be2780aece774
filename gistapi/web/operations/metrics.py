"""The metrics, for Prometheus: names and units follow its conventions.

https://prometheus.io/docs/practices/naming/. No label holds a user's name, a pattern or a gist.
"""

from __future__ import annotations

from collections.abc import Iterator
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

from gistapi.events import CacheFailed, CacheRead, Handlers
from gistapi.web.operations.github_metrics import GithubMetrics
from gistapi.web.operations.health import Parts
from gistapi.web.operations.search_metrics import SECONDS, SearchMetrics


class Metrics:
    """The metrics of one application, in a registry of its own. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._http = _Http(self.registry)
        self._github = GithubMetrics(self.registry)
        self._search = SearchMetrics(self.registry)
        self._cache = _Cache(self.registry)
        self.registry.register(_Process())

    @property
    def handlers(self) -> Handlers:
        """Count events."""
        return {**self._github.handlers, **self._search.handlers, **self._cache.handlers}

    def request_began(self) -> None:
        """Count a request that has arrived."""
        self._http.in_progress.inc()

    def request_ended(self, route: str, status: int, duration_seconds: float) -> None:
        """Count a request whose answer is sent or aborted; `route` is a rule or `none`."""
        self._http.in_progress.dec()
        self._http.requests.labels(route, str(status)).inc()
        self._http.duration.labels(route).observe(duration_seconds)

    def watch(self, parts: Parts) -> None:
        """Read the state of these parts whenever the metrics are read."""

        def cache_bytes() -> float:
            size = parts.cache().size_bytes
            return float("nan") if size is None else size

        self._github.watch(parts.hosts)
        self._search.in_progress.set_function(parts.searches)
        self._search.workers.set_function(parts.workers)
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

    @property
    def handlers(self) -> Handlers:
        """Count lookups and failures."""
        return {
            CacheRead: self._read,
            CacheFailed: lambda event: self.failures.labels(event.operation).inc(),
        }

    def _read(self, event: CacheRead) -> None:
        self.reads.labels(event.kind, "hit").inc(event.hits)
        self.reads.labels(event.kind, "miss").inc(event.misses)
