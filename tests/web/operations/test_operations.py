"""Health, metrics and the access log, with parts in given states."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from structlog.contextvars import get_contextvars

from gistapi.events import (
    CacheFailed,
    CacheRead,
    CacheStatus,
    Event,
    FileScanned,
    GithubBudgetSeen,
    GithubLimited,
    GithubRequestEnded,
    HostState,
    NotSearched,
    SearchEnded,
    WorkerKilled,
)
from gistapi.web import Operation, Parts, State, create_web
from tests.web.searches import NDJSON, SEARCH, Searches

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Operated:
    """An application with its probes and metrics, whose parts report what a test sets."""

    def __init__(self, searches: Searches | None = None) -> None:
        self.state: State = "ready"
        self.cache = CacheStatus("ok", None, 1234)
        self.searches = 3
        self.hosts: tuple[HostState, ...] = ()
        self.operation = Operation()
        self.operation.watch(
            Parts(
                state=lambda: self.state,
                cache=lambda: self.cache,
                searches=lambda: self.searches,
                max_searches=64,
                workers=lambda: 2,
                hosts=lambda: self.hosts,
            )
        )
        self.app: Flask = create_web(searches or Searches(), self.operation)
        self.client = self.app.test_client()

    def ready(self, *events: Event) -> tuple[int, dict[str, Any]]:
        """Status and verbose body of /readyz after these events."""
        for event in events:
            self.operation.observe(event)
        answer = self.client.get("/readyz?verbose")
        assert answer.mimetype == "application/health+json"
        body: dict[str, Any] = answer.get_json()
        return answer.status_code, body

    def counted(self) -> dict[tuple[str, ...], float]:
        """Every sample of /metrics that is ours, by its name and the values of its labels."""
        text = self.client.get("/metrics", buffered=True).text
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


def asked(status: int | None, error: str | None = None, kind: Any = "list") -> GithubRequestEnded:
    """The event of a request to GitHub that ended so."""
    return GithubRequestEnded(kind, "api.github.com", status, error, 0.2, 100)


def test_livez_checks_no_dependency() -> None:
    """It passes whatever state the parts are in."""
    operated = Operated()
    operated.state = "stopping"
    answer = operated.client.get("/livez")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "pass"})
    assert answer.mimetype == "application/health+json"


@pytest.mark.parametrize(
    ("state", "status"), [("ready", 200), ("starting", 503), ("stopping", 503)]
)
def test_readyz_fails_only_while_starting_or_stopping(state: State, status: int) -> None:
    """The body says which of the two it is."""
    operated = Operated()
    operated.state = state
    found, body = operated.ready()
    assert found == status
    assert (body["status"], body.get("output")) == (
        ("pass", None) if status == 200 else ("fail", f"The service is {state}.")
    )


def test_readyz_lists_its_checks_only_if_verbose() -> None:
    """`verbose` lists cache, searches, workers and GitHub; without it there is one status."""
    operated = Operated()
    _, body = operated.ready()
    assert set(body["checks"]) == {
        "configuration",
        "cache",
        "searches",
        "workers",
        "github:contact",
        "github:budget",
        "github:hosts",
    }
    assert body["checks"]["cache"] == [
        {"status": "pass", "observedValue": 1234, "observedUnit": "bytes"}
    ]
    assert body["checks"]["workers"][0]["observedValue"] == 2
    assert body["checks"]["searches"][0]["observedValue"] == 3
    assert set(operated.client.get("/readyz").get_json()) == {"status", "version"}


def test_a_failing_cache_is_a_warning() -> None:
    """Searches work without it."""
    operated = Operated()
    operated.cache = CacheStatus("warn", "reading fails: ConnectionError")
    status, body = operated.ready()
    assert (status, body["status"]) == (200, "warn")
    assert body["checks"]["cache"] == [
        {"status": "warn", "output": "reading fails: ConnectionError"}
    ]


def test_a_full_service_is_a_warning() -> None:
    """The next search would be refused."""
    operated = Operated()
    operated.searches = 64
    assert operated.ready()[1]["status"] == "warn"


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([asked(200)], None),
        ([asked(404, "UserNotFoundError")], None),
        ([asked(401, "GithubError")], "GitHub refuses the token (401)."),
        ([asked(401, "GithubError"), asked(200, kind="raw")], "GitHub refuses the token (401)."),
        ([asked(401, "GithubError"), asked(200)], None),
        ([asked(None, "TransientError")], "api.github.com did not answer."),
        ([asked(None, "TransientError"), asked(304)], None),
        ([asked(200), asked(None, "CancelledError")], None),
        ([asked(502, "TransientError")], "api.github.com answered 502."),
    ],
)
def test_the_last_answer_of_github(events: list[Event], words: str | None) -> None:
    """A refused token, no answer and errors are warnings until a request succeeds."""
    status, body = Operated().ready(*events)
    (check,) = body["checks"]["github:contact"]
    assert status == 200
    assert check.get("output") == words
    assert check["status"] == body["status"] == ("warn" if words else "pass")
    assert check["time"].endswith("Z")


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (GithubBudgetSeen(5000, 4000, 600.0), "pass"),
        (GithubBudgetSeen(5000, 499, 600.0), "warn"),
        (GithubBudgetSeen(5000, 0, -1.0), "pass"),
        (GithubBudgetSeen(5000, 0, 1e300), "warn"),
        (GithubLimited("api.github.com", "primary", float("inf")), "warn"),
        (GithubLimited("api.github.com", "secondary", 60.0), "warn"),
        (GithubLimited("api.github.com", "primary", -1.0), "pass"),
    ],
)
def test_githubs_budget(event: Event, status: str) -> None:
    """Less than a tenth is a warning, and so is a wait that GitHub asks for, until it is over."""
    code, body = Operated().ready(event)
    assert (code, body["checks"]["github:budget"][0]["status"]) == (200, status)


def test_events_are_counted() -> None:
    """Each kind has its labels and its unit."""
    operated = Operated()
    events: list[Event] = [
        asked(200),
        asked(404, "GoneError", "raw"),
        asked(200, "TransientError", "raw"),
        asked(200, "CancelledError", "raw"),
        asked(None, "TransientError", "git"),
        GithubBudgetSeen(5000, 4999, 60.0),
        GithubLimited("api.github.com", "primary", 30.0),
        FileScanned("re2", 1000, 0.5),
        FileScanned("re", 10, 0.25),
        WorkerKilled("timeout"),
        CacheRead("content", 3, 4),
        CacheFailed("write", "Full: no room"),
        SearchEnded("success", 0.3, 1, 2, 3, 4),
        NotSearched("deadline"),
        NotSearched("a reason of the future"),
    ]
    for event in events:
        operated.operation.observe(event)
    counted = operated.counted()
    expected = {
        ("gistapi_github_requests_total", "list", "200"): 1,
        ("gistapi_github_requests_total", "raw", "404"): 1,
        ("gistapi_github_requests_total", "raw", "broken"): 1,
        ("gistapi_github_requests_total", "raw", "called_off"): 1,
        ("gistapi_github_requests_total", "git", "unanswered"): 1,
        ("gistapi_github_request_duration_seconds_count", "raw"): 3,
        ("gistapi_github_received_bytes_total", "raw"): 300,
        ("gistapi_github_budget_limit",): 5000,
        ("gistapi_github_budget_remaining",): 4999,
        ("gistapi_github_limited_total", "primary"): 1,
        ("gistapi_github_wait_seconds_total", "primary"): 30,
        ("gistapi_scanned_files_total", "re2"): 1,
        ("gistapi_scanned_bytes_total", "re2"): 1000,
        ("gistapi_scan_seconds_total", "re"): 0.25,
        ("gistapi_matching_workers_killed_total", "timeout"): 1,
        ("gistapi_matching_workers_killed_total", "died"): 0,
        ("gistapi_matching_workers",): 2,
        ("gistapi_cache_reads_total", "content", "hit"): 3,
        ("gistapi_cache_reads_total", "content", "miss"): 4,
        ("gistapi_cache_failures_total", "write"): 1,
        ("gistapi_cache_size_bytes",): 1234,
        ("gistapi_searches_total", "success"): 1,
        ("gistapi_search_duration_seconds_sum",): 0.3,
        ("gistapi_searches_in_progress",): 3,
        ("gistapi_not_searched_total", "deadline"): 1,
        ("gistapi_not_searched_total", "file_unavailable"): 0,
        ("gistapi_not_searched_total", "other"): 1,
    }
    assert {name: counted.get(name) for name in expected} == expected
    assert ("process_open_fds",) in counted
    assert any(name[0] == "gistapi_build_info" for name in counted)


def test_each_app_has_its_own_metrics() -> None:
    """Two applications in one process share no counts."""
    Operated().operation.observe(WorkerKilled("died"))
    assert Operated().counted()["gistapi_matching_workers_killed_total", "died"] == 0


def test_openmetrics_is_returned_on_request() -> None:
    """Newer Prometheus servers ask for it by `Accept`."""
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = Operated().client.get("/metrics", headers=accept)
    assert answer.mimetype == "application/openmetrics-text"
    assert answer.text.endswith("# EOF\n")


def test_requests_are_counted_by_route_and_status() -> None:
    """The label is one of the routes whatever the path is, and nothing stays in progress."""
    operated = Operated()
    body = {"username": "octocat", "pattern": "x"}
    for path in ("/ping", "/static/search.js", "/secret/path", "/docs/swagger-ui.css"):
        operated.client.get(path, buffered=True)
    operated.client.head("/ping", buffered=True)
    operated.client.post(SEARCH, json=body, buffered=True)
    operated.client.post(SEARCH, json=body, headers=NDJSON, buffered=True)
    operated.client.post(SEARCH, json={}, buffered=True)
    operated.client.open("/ping", method="BREW", buffered=True)
    counted = operated.counted()
    requests = {name[1:]: n for name, n in counted.items() if name[0].endswith("requests_total")}
    assert {route: n for route, n in requests.items() if "<" not in route[0]} == {
        ("/ping", "200"): 2,
        ("none", "404"): 1,
        ("none", "405"): 1,
        (SEARCH, "200"): 2,
        (SEARCH, "400"): 1,
    }
    assert counted["gistapi_http_requests_in_progress",] == 1  # this request for the metrics
    assert counted["gistapi_http_request_duration_seconds_count", SEARCH] == 3


def test_a_stream_is_counted_at_its_end() -> None:
    """It is in progress until its last byte is sent."""
    operated = Operated()
    answer = operated.client.post(
        SEARCH, json={"username": "octocat", "pattern": "x"}, headers=NDJSON, buffered=False
    )
    assert operated.counted()["gistapi_http_requests_in_progress",] == 2
    answer.close()
    assert operated.counted()["gistapi_http_requests_in_progress",] == 1
    assert operated.counted()["gistapi_http_requests_total", SEARCH, "200"] == 1


def test_every_request_is_logged_and_probes_at_debug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A line has method, path, route, status, code and duration; static files are at DEBUG too."""
    operated = Operated()
    with caplog.at_level(logging.DEBUG, "gistapi"):
        for path in ("/ping", "/livez", "/readyz", "/metrics", "/openapi.json", "/nothing"):
            operated.client.get(path, buffered=True)
        operated.client.get("/static/app.js", buffered=True)
        operated.client.post(SEARCH, json={}, buffered=True)
    logged = [vars(line) for line in caplog.records]
    assert [(line["levelname"], line["route"], line["status"]) for line in logged] == [
        ("DEBUG", "/ping", 200),
        ("DEBUG", "/livez", 200),
        ("DEBUG", "/readyz", 200),
        ("DEBUG", "/metrics", 200),
        ("INFO", "/openapi.json", 200),
        ("INFO", "none", 404),
        ("DEBUG", "/static/<path:filename>", 200),
        ("INFO", SEARCH, 400),
    ]
    assert [line.get("code") for line in logged[-3:]] == ["not_found", None, "invalid_request"]
    assert (logged[-1]["method"], logged[-1]["path"]) == ("POST", SEARCH)
    assert all(line["duration_seconds"] >= 0 for line in logged)


@pytest.mark.parametrize(
    ("header", "ids"),
    [
        (f"00-{TRACE}-{PARENT}-01", {"trace_id": TRACE, "parent_id": PARENT}),
        (f"cc-{TRACE}-{PARENT}-00-what-is-new", {"trace_id": TRACE, "parent_id": PARENT}),
        (f"00-{TRACE}-{PARENT}-01-more", {}),
        (f"ff-{TRACE}-{PARENT}-01", {}),
        (f"00-{TRACE.upper()}-{PARENT}-01", {}),
        (f"00-{'0' * 32}-{PARENT}-01", {}),
        (f"00-{TRACE}-{'0' * 16}-01", {}),
        ("nonsense", {}),
    ],
)
def test_traceparent_is_logged(header: str, ids: dict[str, str]) -> None:
    """A valid one is on every line of its request, an invalid one on none."""
    operated = Operated()
    seen: dict[str, Any] = {}
    operated.app.before_request(lambda: seen.update(get_contextvars()))
    operated.client.get("/ping", headers={"traceparent": header, "X-Request-ID": "mine"})
    assert seen == {"request_id": "mine", **ids}


def test_requests_share_no_log_context() -> None:
    """What was bound for one request on a thread is not on the lines of the next."""
    operated = Operated()
    seen: list[dict[str, Any]] = []
    operated.app.before_request(lambda: seen.append(get_contextvars()))
    operated.client.get("/ping", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    operated.client.get("/ping")
    assert "trace_id" in seen[0]
    assert list(seen[1]) == ["request_id"]
    assert seen[0]["request_id"] != seen[1]["request_id"]
