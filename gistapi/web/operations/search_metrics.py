"""The metrics of searches."""

from __future__ import annotations

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gistapi.events import (
    FileScanned,
    Handlers,
    NotSearched,
    SearchEnded,
    WorkerKilled,
)
from gistapi.search.report import REASONS

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""The buckets of durations."""


class SearchMetrics:
    """The metrics of one application's searches, in its registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = partial(Counter, registry=registry)
        gauge = partial(Gauge, registry=registry)
        self.searches = counter(
            "gistapi_searches",
            "Searches by outcome: success, partial, cancelled, or an error's name.",
            ("outcome",),
        )
        self.duration = Histogram(
            "gistapi_search_duration_seconds",
            "How long searches took.",
            buckets=SECONDS,
            registry=registry,
        )
        self.in_progress = gauge("gistapi_searches_in_progress", "Searches running.")
        totals = {
            "files": ("gistapi_scanned_files", "Files matched."),
            "bytes": ("gistapi_scanned_bytes", "Bytes of text matched."),
            "seconds": ("gistapi_scan_seconds", "Time spent matching."),
        }
        counters = {
            name: counter(full, words, ("engine",)) for name, (full, words) in totals.items()
        }
        # Looked up once: this is counted for every file.
        self._scanned = {
            engine: tuple(counters[name].labels(engine) for name in totals)
            for engine in ("re2", "re")
        }
        self.workers = gauge("gistapi_matching_workers", "Matching processes alive.")
        self.workers_killed = counter(
            "gistapi_matching_workers_killed",
            "Matching processes that hit their deadline (timeout), died or could not be started.",
            ("reason",),
        )
        for reason in ("timeout", "died", "not_started"):
            self.workers_killed.labels(reason)  # so that the first is seen as an increase
        self.not_searched = counter(
            "gistapi_not_searched",
            "Gists, files and listings that could not be searched, by the contract's reason.",
            ("reason",),
        )
        for reason in REASONS:
            self.not_searched.labels(reason)

    @property
    def handlers(self) -> Handlers:
        """Count searches, files and what could not be searched."""
        return {
            FileScanned: self._file_scanned,
            NotSearched: self._missed,
            SearchEnded: self._ended,
            WorkerKilled: lambda event: self.workers_killed.labels(event.reason).inc(),
        }

    def _file_scanned(self, event: FileScanned) -> None:
        files, size, seconds = self._scanned[event.engine]
        files.inc(event.files)
        size.inc(event.size_bytes)
        seconds.inc(event.duration_seconds)

    def _missed(self, event: NotSearched) -> None:
        reason = event.reason if event.reason in REASONS else "other"
        self.not_searched.labels(reason).inc()

    def _ended(self, event: SearchEnded) -> None:
        self.searches.labels(event.outcome).inc()
        self.duration.observe(event.duration_seconds)
