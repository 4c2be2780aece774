"""A running service as operators see it: its log, its metrics, its readiness."""

from __future__ import annotations

import json
from typing import Any

import requests

from tests.fake_github import FakeGithub, Fault
from tests.serving import SECONDS, Serving, serving

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
NDJSON = {"Accept": "application/x-ndjson"}


def lines(service: Serving) -> list[dict[str, Any]]:
    """The log, with each line parsed as JSON."""
    return [json.loads(line) for line in service.log.splitlines()]


def counted(service: Serving, name: str) -> float:
    """A sample of /metrics, given with its labels as it is written there."""
    text = requests.get(f"{service.url}/metrics", timeout=SECONDS).text
    found = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(found[0].split()[-1]) if found else 0.0


def test_every_line_of_a_request_has_its_id(github: FakeGithub) -> None:
    """This covers its requests to GitHub, from any thread, its search, and its final line."""
    user = github.add_user("octocat")
    for number in range(20):
        user.add_gist({"a.txt": f"needle {number}"})
    with serving(github, log_level="debug") as service:
        body = {"username": "octocat", "pattern": "needle"}
        for number, accept in enumerate(({}, NDJSON)):
            headers = {
                "X-Request-ID": f"mine-{number}",
                "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
            }
            url = f"{service.url}/api/v1/search"
            requests.post(url, json=body, headers=headers | accept, timeout=10)
        logged = lines(service)
    calls = [line for line in logged if line["message"] == "request to GitHub"]
    assert len(calls) == 21
    assert {(line["request_id"], line["trace_id"]) for line in calls} == {("mine-0", TRACE)}
    for number in range(2):
        mine = [line for line in logged if line.get("request_id") == f"mine-{number}"]
        (search,) = [line for line in mine if line["message"] == "search"]
        (request,) = [line for line in mine if line["message"] == "request"]
        counts = {"outcome": "success", "gists": 20, "files": 20, "matches": 20}
        assert search.items() >= counts.items()
        assert request.items() >= counts.items()
        assert request.items() >= {"route": "/api/v1/search", "status": 200}.items()
        assert request["trace_id"] == TRACE
        assert request["duration_seconds"] > 0


def test_patterns_and_tokens_are_never_logged(github: FakeGithub) -> None:
    """This holds at every level, for every outcome of a request."""
    github.add_user("octocat").add_gist({"a.txt": "needle"})
    token = "ghp_canary"
    with serving(github, log_level="debug", github_token=token) as service:
        service.search("canary")
        service.search("canary(")
        service.search("canary", cursor="canary")
        service.search("canary(?=x)")
        github.faults.inject(Fault(cut_head_at=0, reset=True))
        service.search("canary", files=["canary"])
        searches = [line for line in lines(service) if line.get("route") == "/api/v1/search"]
        assert len(searches) == 5
        assert "canary" not in service.log


def test_a_ready_service_has_its_workers(github: FakeGithub) -> None:
    """When it is ready, no search has to wait for their start."""
    with serving(github) as service:
        checks = requests.get(f"{service.url}/readyz?verbose", timeout=SECONDS).json()["checks"]
        assert checks["workers"][0]["observedValue"] == 2
        assert counted(service, "gistapi_matching_workers") == 2
