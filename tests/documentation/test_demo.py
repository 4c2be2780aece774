"""The demo as a person uses it: start it, search, press Ctrl-C."""

from __future__ import annotations

import signal
import sys

import pytest

from tests.serving import serving


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_answers_and_ends(end: signal.Signals) -> None:
    """It finds octocat's two gists, and a signal ends it and all its processes."""
    with serving(command=(sys.executable, "-m", "tests.demo")) as demo:
        answer = demo.search("import requests")
        demo.process.send_signal(end)
        assert demo.ended() == 0
        assert f"{demo.url}/api/v1/search" in demo.log
    assert answer.json() == {
        "status": "success",
        "username": "octocat",
        "pattern": "import requests",
        "matches": [
            "https://gist.github.com/d2f6a9f0c8b14e5c9a3b7e81f4560c2d",
            "https://gist.github.com/6cad326836d38bd3a7ae",
        ],
    }
