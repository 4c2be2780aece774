"""The state of GitHub's hosts and the sources of contents, as operators see them."""

from __future__ import annotations

from gistapi.events import ContentRead, HostState
from gistapi.web.operations.health import Health, Parts
from gistapi.web.operations.metrics import Metrics
from tests.web.operations.test_operations import Operated

RAW = HostState("raw.example", "raw", 40, 7, 4, 7.5, 120.0, None, None, None)
API = HostState("api.example", "api", 9, 0, 16, None, 0.0, 51, 60, 600.0)


def test_readyz_shows_each_host() -> None:
    """Requests, refusals, concurrency and rate, the wait, and the budget."""
    parts = Parts(
        state=lambda: "ready",
        cache=lambda: Operated().cache,
        searches=lambda: 0,
        max_searches=64,
        workers=lambda: 0,
        hosts=lambda: (RAW, API),
    )
    raw, api = Health().report(parts, verbose=True)["checks"]["github:hosts"]
    assert (raw["componentId"], raw["status"]) == ("raw.example (raw)", "warn")
    assert (raw["requests"], raw["refusals"], raw["observedValue"]) == (40, 7, 4)
    assert raw["requestsPerSecond"] == 7.5
    assert raw["output"].startswith("Left alone until ")
    assert "budget" not in raw
    assert (api["status"], api["budget"], api["budgetLimit"]) == ("pass", 51, 60)
    assert api["budgetReset"].endswith("Z")


def test_metrics_show_each_host_and_source() -> None:
    """Gauges show the current limits, counters requests, refusals and contents."""
    metrics = Metrics()
    metrics.watch(
        searches=lambda: 0, workers=lambda: 0, cache_bytes=lambda: 0, hosts=lambda: (RAW, API)
    )
    metrics.observe(ContentRead("graphql", "limited"))
    metrics.observe(ContentRead("graphql", "limited"))
    text = metrics.exposition("")[0].decode()
    for line in (
        'gistapi_github_contents_total{reason="limited",way="graphql"} 2.0',
        'gistapi_github_host_concurrency{host="raw.example",resource="raw"} 4.0',
        'gistapi_github_host_pace{host="raw.example",resource="raw"} 7.5',
        'gistapi_github_host_wait_seconds{host="raw.example",resource="raw"} 120.0',
        'gistapi_github_host_requests_total{host="api.example",resource="api"} 9.0',
        'gistapi_github_host_refusals_total{host="raw.example",resource="raw"} 7.0',
        'gistapi_github_host_budget_remaining{host="api.example",resource="api"} 51.0',
    ):
        assert line in text.splitlines()
    assert 'gistapi_github_host_pace{host="api.example"' not in text
