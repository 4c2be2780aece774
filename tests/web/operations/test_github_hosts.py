"""The state of GitHub's hosts and the sources of contents, as operators see them."""

from __future__ import annotations

from gistapi.events import ContentRead, HostState
from tests.web.operations.test_operations import Operated

RAW = HostState("raw.example", "raw", 40, 7, 4, 7.5, 120.0, None, None, None)
API = HostState("api.example", "api", 9, 0, 16, None, 0.0, 51, 60, 600.0)


def test_readyz_shows_each_host() -> None:
    """Requests, refusals, concurrency and rate, the wait, and the budget."""
    operated = Operated()
    operated.hosts = (RAW, API)
    raw, api = operated.ready()[1]["checks"]["github:hosts"]
    assert (raw["componentId"], raw["status"]) == ("raw.example (raw)", "warn")
    assert (raw["requests"], raw["refusals"], raw["observedValue"]) == (40, 7, 4)
    assert raw["requestsPerSecond"] == 7.5
    assert raw["output"].startswith("Left alone until ")
    assert "budget" not in raw
    assert (api["status"], api["budget"], api["budgetLimit"]) == ("pass", 51, 60)
    assert api["budgetReset"].endswith("Z")


def test_metrics_show_each_host_and_source() -> None:
    """Gauges show the current limits, counters requests, refusals and contents."""
    operated = Operated()
    operated.hosts = (RAW, API)
    for _ in range(2):
        operated.operation.observe(ContentRead("graphql", "limited"))
    counted, raw = operated.counted(), ("raw.example", "raw")
    assert counted["gistapi_github_contents_total", "limited", "graphql"] == 2
    host = "gistapi_github_host_"
    for name, value in {
        "concurrency": 4,
        "pace": 7.5,
        "wait_seconds": 120,
        "requests_total": 40,
        "refusals_total": 7,
    }.items():
        assert counted[host + name, *raw] == value
    assert counted[f"{host}budget_remaining", "api.example", "api"] == 51
    assert (f"{host}pace", "api.example", "api") not in counted
