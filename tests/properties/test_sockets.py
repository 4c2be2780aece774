"""The tests' own safety net: no socket connects to another machine."""

from __future__ import annotations

import socket

import pytest
import requests
from pytest_socket import SocketConnectBlockedError

from tests.fake_github import FakeGithub

OUTSIDE = "192.0.2.1"  # RFC 5737: documentation, leads nowhere


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_a_socket_to_another_host_is_refused() -> None:
    """A connection to an outside address is an error before anything is sent."""
    with socket.socket() as outside, pytest.raises(SocketConnectBlockedError, match=OUTSIDE):
        outside.connect((OUTSIDE, 80))


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_an_http_client_is_refused() -> None:
    """The block holds below requests and urllib3, which the service uses."""
    with pytest.raises(SocketConnectBlockedError, match=OUTSIDE):
        requests.get(f"http://{OUTSIDE}/", timeout=1)


def test_this_machine_is_reached(github: FakeGithub) -> None:
    """The block admits servers of the tests' own."""
    assert requests.get(f"{github.api_url}/rate_limit", timeout=10).status_code
