"""The least work: every file is read from its socket and discarded.

Run: python -m bench.least API_URL USER THREADS. Prints the seconds. This is what the machine and
the fake GitHub allow; the bound is computed from their latencies alone.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO
from urllib.parse import urlsplit

import requests

from bench.naive import gists_of


def main() -> None:
    """Read all of a user's files."""
    api_url, user, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    own = threading.local()

    def read(url: str) -> None:
        parts = urlsplit(url)
        if not hasattr(own, "stream"):
            own.socket = socket.create_connection((parts.hostname, parts.port))
            own.stream = own.socket.makefile("rb")
        own.socket.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        _skip_answer(own.stream)

    began = time.perf_counter()
    with requests.Session() as session, ThreadPoolExecutor(threads) as pool:
        reading = [
            pool.submit(read, file["raw_url"])
            for gist in gists_of(session, api_url, user)
            for file in gist["files"].values()
        ]
        for done in reading:
            done.result()
    print(time.perf_counter() - began)


def _skip_answer(stream: BinaryIO) -> None:
    size = 0
    while (line := stream.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    if len(stream.read(size)) < size:
        raise EOFError("an answer was cut")


def seconds(api_url: str, user: str, threads: int) -> float:
    """Run this module as a process; returns the seconds."""
    command = [sys.executable, "-m", "bench.least", api_url, user, str(threads)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
