"""The service with a fake GitHub, for `make demo`: no network, no rate limit, no token."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import FrameType

from tests.fake_github import FakeGithub
from tests.fake_github.demo import populate
from tests.serving import SERVE, environment

EXAMPLE = """\
A GitHub of three users answers: octocat, mona and hubot.
Open http://127.0.0.1:{port}/ in a browser, or ask in another terminal:

  curl -s http://127.0.0.1:{port}/api/v1/search -H 'Content-Type: application/json' \\
    -d '{{"username": "octocat", "pattern": "import requests"}}'

Ctrl-C ends both.
"""


def main() -> int:
    """Serve until Ctrl-C or SIGTERM; returns the service's exit code."""
    port = os.environ.get("GISTAPI_PORT") or 9876
    with FakeGithub() as github:
        populate(github.world)
        with subprocess.Popen(
            SERVE,
            env=environment(github, port=port),
            process_group=0,  # so that only this process passes the terminal's Ctrl-C on
        ) as service:

            def end(_signal: int, _frame: FrameType | None) -> None:
                service.terminate()

            signal.signal(signal.SIGINT, end)
            signal.signal(signal.SIGTERM, end)
            sys.stdout.write(EXAMPLE.format(port=port))
            sys.stdout.flush()
            return service.wait()


if __name__ == "__main__":
    sys.exit(main())
