"""A stub of the service over real HTTP, which answers as a test says or searches a few texts.

Its matches are the contract's, computed by Python's `re` in the simplest way. It is used where
a test of the command needs its own texts, or a hostile service.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Gists = dict[str, dict[str, str]]
Answer = Callable[[dict[str, Any]], Iterator[Any]]
WINDOW = 300
BEFORE = 100


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Ignore clients that have gone, which many tests are about."""


class StubService:
    """A running service: its `url`, and the requests that it received."""

    def __init__(self, answer: Answer, status: int, reason: str | None) -> None:
        stub = self
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked = json.loads(body)
                stub.asked.append(asked)
                stub.headers.append(dict(self.headers))
                self.send_response(status, reason)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for line in answer(asked):  # not self.asked[-1]: requests are concurrent
                    text = line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(text), text))
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self) -> None:
        """Answer until `stop`."""
        self._server.serve_forever(0.01)

    def stop(self) -> None:
        """Accept no more requests."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def stub(answer: Answer, *, status: int = 200, reason: str | None = None) -> Iterator[StubService]:
    """A service that answers each request with these lines (JSON values, or bytes unchanged)."""
    service = StubService(answer, status, reason)
    thread = threading.Thread(target=service.serve)
    thread.start()
    try:
        yield service
    finally:
        service.stop()
        thread.join()


def searching(gists: Gists) -> Answer:
    """An answer that searches these texts, given by gist and file name."""

    def answer(asked: dict[str, Any]) -> Iterator[Any]:
        pattern = compiled(asked)
        yield begin()
        found = 0
        for gist, files in gists.items():
            matching = [
                entry
                for name, text in files.items()
                if (entry := file_entry(pattern, name, text, asked))["matches"]
            ]
            if matching:
                found += 1
                yield match(gist, matching if asked.get("max_count") else matching[:1])
        files_read = sum(map(len, gists.values()))
        yield end(found, gists=len(gists), files=files_read)

    return answer


def compiled(asked: dict[str, Any]) -> re.Pattern[str]:
    """Compile the pattern of a request."""
    source = re.escape(asked["pattern"]) if asked.get("fixed_string") else asked["pattern"]
    names = {"ignore_case": re.IGNORECASE, "multiline": re.MULTILINE, "dotall": re.DOTALL}
    flags = sum(flag for name, flag in names.items() if asked.get(name))
    return re.compile(rf"\b(?:{source})\b" if asked.get("word") else source, flags)


def file_entry(
    pattern: re.Pattern[str], name: str, text: str, asked: dict[str, Any]
) -> dict[str, Any]:
    """One entry of `files`."""
    wanted = asked.get("max_count") or 1
    hits = list(pattern.finditer(text))
    lines = text.split("\n")
    context = asked.get("context", 0)
    return {
        "file": name,
        "language": None,
        "size_bytes": len(text.encode("utf-8", "surrogatepass")),
        "more": len(hits) > wanted,
        "matches": [line_match(hit, lines, context) for hit in hits[:wanted]],
    }


def line_match(hit: re.Match[str], lines: list[str], context: int) -> dict[str, Any]:
    """One entry of `matches`."""
    before, through = hit.string[: hit.start()], hit.string[: hit.end()]
    line, end_line = before.count("\n"), through.count("\n")
    column, end_column = (
        len(before) - before.rfind("\n") - 1,
        len(through) - through.rfind("\n") - 1,
    )
    last = max(line, end_line - (end_column == 0 and end_line > line))
    whole = "\n".join(lines[line : last + 1])
    cut_at = max(0, column - BEFORE) if len(whole) > WINDOW else 0
    text = whole[cut_at : cut_at + WINDOW]
    listed = lines[:-1] if lines[-1] == "" else lines
    found = {
        "line": line + 1,
        "column": column + 1,
        "end_line": end_line + 1,
        "end_column": end_column + 1,
        "text": text,
        "start": min(column - cut_at, len(text)),
        "end": min(column - cut_at + len(hit[0]), len(text)),
        "cut": len(text) < len(whole),
        "url": f"https://gist.github.com/x#file-y-L{line + 1}",
    }
    if context:
        found["before"] = listed[max(0, line - context) : line]
        found["after"] = listed[last + 1 : last + 1 + context]
    return found


def begin() -> dict[str, Any]:
    """The first line."""
    return {"type": "begin", "data": {"pattern": "x"}}


def match(gist: str, files: list[dict[str, Any]], **changed: object) -> dict[str, Any]:
    """A gist that matches."""
    data = {
        "gist": f"https://gist.github.com/{gist}",
        "owner": "octocat",
        "description": None,
        "created_at": "2024-01-01T00:00:00Z",
        "updated_at": "2024-01-01T00:00:00Z",
        "files": files,
    }
    return {"type": "match", "data": data | changed}


def simple_match(gist: str, text: str = "needle", **changed: object) -> dict[str, Any]:
    """A gist with one match, which is all of `text`."""
    entry = file_entry(re.compile(re.escape(text)), "a.txt", text, {})
    return match(gist, [entry], **changed)


def incomplete(reason: str, gist: str | None = None, message: str = "why") -> dict[str, Any]:
    """Something that was not searched."""
    data = {"gist": gist, "file": None, "reason": reason, "message": message}
    return {"type": "incomplete", "data": data}


def end(matches: int = 0, *, gists: int = 1, files: int = 1, **changed: object) -> dict[str, Any]:
    """The last line."""
    searched = {"gists": gists, "files": files, "size_bytes": 10}
    data = {"status": "success", "matches": matches, "searched": searched, "elapsed_seconds": 0.1}
    return {"type": "end", "data": data | changed}
