"""What is counted and told of refused requests, and how much of a storm of them."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from gistapi import errors
from gistapi.web import Operation, create_web
from gistapi.web.protection import rejections
from tests.web.searches import SEARCH, Searches

REFUSED = {
    "unauthorized": errors.UnauthorizedError("No key."),
    "forbidden": errors.ForbiddenError("Not from there."),
    "captcha_required": errors.CaptchaRequiredError("Solve it."),
    "rate_limited": errors.RateLimitedError("Too many.", 1),
    "byte_quota_exceeded": errors.ByteQuotaError("Spent.", 1),
    "overloaded": errors.OverloadedError("Full.", 1),
}
"""An error for each code."""


def client(error: Exception) -> FlaskClient:
    """A client of a service that answers searches with this error."""
    return create_web(Searches(refusal=error), Operation()).test_client()


def ask(asking: FlaskClient, times: int = 1) -> None:
    """Ask for searches from an address that documents may use."""
    for _ in range(times):
        asking.post(
            SEARCH,
            json={"username": "octocat", "pattern": "secret"},
            headers={"X-Request-ID": "mine"},
            environ_base={"REMOTE_ADDR": "192.0.2.7"},
            buffered=True,
        )


def refused(asking: FlaskClient) -> dict[str, float]:
    """How many were counted, by code."""
    return {
        sample.labels["code"]: sample.value
        for family in text_string_to_metric_families(asking.get("/metrics", buffered=True).text)
        for sample in family.samples
        if sample.name == "gistapi_refusals_total"
    }


def told(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """The lines on rejections."""
    return [record for record in caplog.records if record.name == rejections.__name__]


def test_every_code_of_a_refusal_has_its_case() -> None:
    """The cases above are all there are."""
    assert set(REFUSED) == rejections.REFUSALS


@pytest.mark.parametrize("code", REFUSED)
def test_a_refused_request_is_told_and_counted(code: str, caplog: pytest.LogCaptureFixture) -> None:
    """Who and why; the line's request id is bound as on every line. No pattern, no user."""
    asking = client(REFUSED[code])
    ask(asking)
    (record,) = told(caplog)
    assert (record.levelname, record.getMessage()) == ("WARNING", "refused")
    assert (vars(record)["code"], vars(record)["address"]) == (code, "192.0.2.7")
    counted = refused(asking)
    assert counted == {name: float(name == code) for name in REFUSED}


def test_other_errors_are_no_refusals(caplog: pytest.LogCaptureFixture) -> None:
    """GitHub's limits are not ours."""
    asking = client(errors.GithubRateLimitedError("Spent.", 1))
    ask(asking)
    asking.post(SEARCH, data=b"{", content_type="application/json", buffered=True)
    asking.get("/nope", buffered=True)
    assert told(caplog) == []
    assert set(refused(asking).values()) == {0.0}


def test_of_a_storm_some_lines_are_told_and_then_how_many_more(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each code has its own bound; everything is counted."""
    now = [1000.0]
    monkeypatch.setattr(rejections, "time", SimpleNamespace(monotonic=lambda: now[0]))
    asking = client(REFUSED["rate_limited"])
    ask(asking, 500)
    lines = [record.getMessage() for record in told(caplog)]
    assert lines == ["refused"] * 20 + ["refused: more of them are only counted"]
    caplog.clear()
    now[0] += 60
    ask(asking)
    summary, line = told(caplog)
    assert summary.getMessage() == "refused, not told one by one"
    assert (vars(summary)["code"], vars(summary)["requests"]) == ("rate_limited", 480)
    assert line.getMessage() == "refused"
    caplog.clear()
    now[0] += 60
    ask(asking)
    assert [record.getMessage() for record in told(caplog)] == ["refused"]
    assert refused(asking)["rate_limited"] == 502
