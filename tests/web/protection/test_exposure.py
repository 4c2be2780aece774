"""Warning about a service that other machines can reach."""

from __future__ import annotations

import pytest

from gistapi.setting_values import is_loopback
from gistapi.settings import Settings
from gistapi.web.protection.exposure import warnings


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - the case in question
        ("::", False),
        ("192.0.2.1", False),
        ("gists.example", False),
    ],
)
def test_which_hosts_are_loopback(host: str, *, loopback: bool) -> None:
    """Any other address, and every name but localhost, may be reachable from elsewhere."""
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("settings", "keys_exist", "warned"),
    [
        ({}, False, True),
        ({"keys_optional": True}, True, True),
        ({}, True, False),
        ({"rate_limit": "30/minute"}, False, False),
        ({"daily_limit": 5}, False, False),
        ({"caller_github_requests": "60/hour"}, False, False),
        ({"allowed_addresses": "10.0.0.0/8"}, False, False),
        ({"host": "127.0.0.1"}, False, False),
    ],
)
def test_an_exposed_service_without_keys_or_limits_is_a_warning(
    settings: dict[str, object], *, keys_exist: bool, warned: bool
) -> None:
    """The message has the remedy."""
    chosen = Settings.model_validate({"host": "::"} | settings)
    found = warnings(chosen, keys_exist=keys_exist)
    assert bool(found) is warned
    if warned:
        assert "gistapi keys create" in found[0]
        assert "GISTAPI_RATE_LIMIT" in found[0]
