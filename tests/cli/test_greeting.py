"""The greeting of a service that starts in a terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from importlib.metadata import version

import pytest

from gistapi.cli.greeting import address, greeting
from gistapi.settings import Settings
from tests.serving import SECONDS, SERVE, environment, free_port

BARE = {"cache_url": "memory:", "github_api_url": "https://api.github.com"}


def test_it_names_the_version_the_address_the_token_and_the_cache() -> None:
    """Without a token it says what that limits and what to set."""
    assert greeting(Settings.model_validate(BARE)) == (
        f"gistapi {version('gistgrep')} serves on http://127.0.0.1:9876/\n"
        "GitHub token  none: GitHub answers 60 requests an hour. Set GISTAPI_GITHUB_TOKEN to a"
        " token without scopes to raise that to 5,000.\n"
        "Cache         memory:\n"
        "Ctrl-C ends the service.\n"
    )


def test_it_shows_no_secret() -> None:
    """It says whether a token is set, and hides the password of a cache."""
    secrets = {"github_token": "canary", "cache_url": "redis://user:canary@127.0.0.1:6379/0"}
    shown = greeting(Settings.model_validate(BARE | secrets))
    assert "canary" not in shown
    assert "5,000 requests an hour" in shown
    assert "redis://**********@127.0.0.1:6379/0" in shown


def test_another_github_is_named_without_a_limit() -> None:
    """Only github.com's limit is known; the demo's GitHub has none."""
    shown = greeting(Settings.model_validate(BARE | {"github_api_url": "http://127.0.0.1:1"}))
    assert "GitHub        http://127.0.0.1:1\n" in shown
    assert "an hour" not in shown


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9876/"),
        ("0.0.0.0", "http://localhost:9876/"),  # noqa: S104 - nothing listens
        ("::", "http://localhost:9876/"),
        ("::1", "http://[::1]:9876/"),
        ("example.internal", "http://example.internal:9876/"),
    ],
)
def test_the_address_can_be_opened_in_a_browser(host: str, url: str) -> None:
    """An unspecified address becomes localhost, and an IPv6 address gets brackets."""
    assert address(Settings.model_validate(BARE | {"host": host})) == url


def test_a_terminal_gets_the_greeting() -> None:
    """`gistapi serve` prints it when it listens, and Ctrl-C ends the service."""
    port = free_port()
    screen, keyboard = pty.openpty()
    with subprocess.Popen(
        SERVE, env=environment(port=port), stdin=keyboard, stdout=keyboard, stderr=keyboard
    ) as process:
        os.close(keyboard)
        seen = b""
        while b"Ctrl-C ends the service." not in seen:
            seen += os.read(screen, 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
    os.close(screen)
    assert f"serves on http://127.0.0.1:{port}/".encode() in seen
    assert b"Listening" not in seen
