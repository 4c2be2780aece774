"""Counting refused requests, and logging a part of them."""

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
    """A client of a service on which searches raise this error."""
    return create_web(Searches(refusal=error), Operation()).test_client()


def ask(asking: FlaskClient, times: int = 1) -> None:
    """Send searches from an address reserved for documentation."""
    for _ in range(times):
        asking.post(
            SEARCH,
            json={"username": "octocat", "pattern": "secret"},
            headers={"X-Request-ID": "mine"},
            environ_base={"REMOTE_ADDR": "192.0.2.7"},
            buffered=True,
        )


def refused(asking: FlaskClient) -> dict[str, float]:
    """The number of refusals counted, by code."""
    return {
        sample.labels["code"]: sample.value
        for family in text_string_to_metric_families(asking.get("/metrics", buffered=True).text)
        for sample in family.samples
        if sample.name == "gistapi_refusals_total"
    }


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Level and message of the log lines about searches and refusals."""
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name == rejections.__name__ or vars(record).get("path") == SEARCH
    ]


def test_every_code_of_a_refusal_has_its_case() -> None:
    """The cases above are complete."""
    assert set(REFUSED) == rejections.REFUSALS


@pytest.mark.parametrize("code", REFUSED)
def test_a_refusal_is_logged_and_counted(code: str, caplog: pytest.LogCaptureFixture) -> None:
    """Its one warning has the code and the address, but no pattern and no user."""
    asking = client(REFUSED[code])
    with caplog.at_level(logging.INFO):
        ask(asking)
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("WARNING", "request")
    assert (vars(record)["code"], vars(record)["address"]) == (code, "192.0.2.7")
    assert "secret" not in str(vars(record))
    assert refused(asking) == {name: float(name == code) for name in REFUSED}


def test_other_errors_are_not_refusals() -> None:
    """GitHub's limits are not this service's."""
    asking = client(errors.GithubRateLimitedError("Spent.", 1))
    ask(asking)
    asking.post(SEARCH, data=b"{", content_type="application/json", buffered=True)
    asking.get("/nope", buffered=True)
    assert set(refused(asking).values()) == {0.0}


def test_logging_of_refusals_is_limited(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are counted; lines over the limit are at DEBUG, and their number is reported."""
    now = [1000.0]
    monkeypatch.setattr(rejections, "time", SimpleNamespace(monotonic=lambda: now[0]))
    asking = client(REFUSED["rate_limited"])
    with caplog.at_level(logging.INFO):
        ask(asking, 500)
        shown = [*[("WARNING", "request")] * 20, ("WARNING", "further refusals are only counted")]
        assert logged(caplog) == shown
        caplog.clear()
        now[0] += 60
        ask(asking)
        summary = caplog.records[0]
        assert (vars(summary)["code"], vars(summary)["requests"]) == ("rate_limited", 480)
        assert logged(caplog) == [("WARNING", "refusals not logged"), ("WARNING", "request")]
        caplog.clear()
        now[0] += 60
        ask(asking)
        assert logged(caplog) == [("WARNING", "request")]
    assert refused(asking)["rate_limited"] == 502
