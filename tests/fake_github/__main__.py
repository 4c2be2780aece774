"""A fake GitHub in a process of its own: `python -m tests.fake_github --help`.

Prints one line of JSON when it is ready (`api_url`, `raw_url`, `raw_host`, `control_url`) and ends
on SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys

from tests.fake_github import demo
from tests.fake_github.control import PREFIX
from tests.fake_github.fake import FakeGithub
from tests.fake_github.traffic import Pace


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fake_github", description=__doc__)
    add = parser.add_argument
    add("--api-port", type=int, default=0, help="0: any free port")
    add("--raw-port", type=int, default=0, help="0: any free port")
    add("--demo", action="store_true", help="add a few users with handwritten gists")
    add("--login", default="generated", help="the user who has the generated gists")
    add("--gists", type=int, default=0, help="how many gists to generate")
    add("--seed", type=int, default=1, help="the seed to generate them from")
    add("--files-per-gist", type=float, default=2, help="on average")
    add("--file-bytes", type=int, default=4000, help="the average size of a file")
    add("--latency-api", type=float, default=0, help="seconds before each answer")
    add("--latency-raw", type=float, default=0, help="seconds before each answer")
    add("--bandwidth", type=float, help="bytes a second for each raw answer")
    add("--shared-bandwidth", type=float, help="bytes a second for all raw answers together")
    add("--limit", type=int, default=5000, help="API requests an hour")
    return parser.parse_args()


def _configure(github: FakeGithub, given: argparse.Namespace) -> None:
    if given.demo:
        demo.populate(github.world)
    if given.gists:
        github.add_user(given.login).generate(
            given.gists,
            seed=given.seed,
            files_per_gist=given.files_per_gist,
            size_bytes=given.file_bytes,
        )
    github.traffic["api"].latency_seconds = given.latency_api
    raw = github.traffic["raw"]
    raw.latency_seconds = given.latency_raw
    raw.bytes_per_second = given.bandwidth
    raw.shared_pace = Pace(given.shared_bandwidth) if given.shared_bandwidth else None
    github.rate_limit.limit = github.rate_limit.limit_with_token = given.limit


def main() -> None:
    """Serve until a signal arrives."""
    given = _arguments()
    # blocked before the server's thread starts, so that only this thread receives them
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with FakeGithub(given.api_port, given.raw_port) as github:
        _configure(github, given)
        addresses = {
            "api_url": github.api_url,
            "raw_url": github.raw_url,
            "raw_host": github.raw_host,
            "control_url": github.api_url + PREFIX,
        }
        sys.stdout.write(json.dumps(addresses) + "\n")
        sys.stdout.flush()
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
