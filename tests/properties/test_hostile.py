"""A hostile GitHub: whatever it answers, no request and no token goes to another host."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from tests.fake_github import FakeGithub, Fault, answers
from tests.fake_github.message import from_json
from tests.serving import serving

TOKEN = "ghp_canary"
SHA = "0" * 40


class Elsewhere:
    """A host that must receive no request; it counts connections and keeps what is sent to it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.port: int = self._listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.heard: list[bytes] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._stop.is_set():
            with suppress(TimeoutError):
                connection, _ = self._listener.accept()
                with connection:
                    connection.settimeout(1)
                    with suppress(OSError):
                        self.heard.append(b"")
                        self.heard[-1] = connection.recv(65536)
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nneedle")

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()
        self._thread.join()
        self._listener.close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """Yield a host of the test's own."""
    host = Elsewhere()
    yield host
    host.close()


def lures(good: str, evil: str) -> list[str]:
    """Addresses that lead, or could be read as leading, from the host `good` to `evil`."""
    port = evil.rpartition(":")[2]
    path = f"/octocat/1/raw/{SHA}/a.txt"
    return [
        f"http://{evil}{path}",
        f"HTTP://{evil}{path}",
        f"//{evil}{path}",
        f"http:{evil}{path}",
        f"http:///{evil}{path}",
        f"http://{good}@{evil}{path}",
        f"http://{good.replace(':', '%3a')}@{evil}{path}",
        f"http://{evil}#@{good}{path}",
        f"http://{evil}\\@{good}{path}",
        f"http://{evil}\\.{good}{path}",
        f"http://{evil}?@{good}{path}",
        f"http:\\\\{evil}{path}",
        f"http://localhost:{port}{path}",
        f"http://127.1:{port}{path}",
        f"http://2130706433:{port}{path}",
        f"http://0x7f000001:{port}{path}",
        f"http://0177.0.0.1:{port}{path}",
        f"http://[::ffff:127.0.0.1]:{port}{path}",
        f"http://127\uff0e0\uff0e0\uff0e1:{port}{path}",
        f"http://\u2460\u2461\u2466.0.0.1:{port}{path}",
        f"http://{good}\r\nHost: {evil}\r\n\r\n{path}",
        f"http://{good}\n@{evil}{path}",
        f"http://{good}\t@{evil}{path}",
        f" http://{evil}{path}",
        f"https://{evil}{path}",
        f"ftp://{evil}{path}",
        f"git://{evil}/1.git",
        f"ssh://{evil}/1.git",
        f"ext::sh -c 'curl {evil}'",
        "file:///etc/passwd",
        "/etc/passwd",
        "",
    ]


def never_asked(elsewhere: Elsewhere, github: FakeGithub) -> None:
    """Assert that `evil` had no connection, and that only the API got the token."""
    assert elsewhere.heard == []
    for origin in ("raw", "git"):
        sent = github.requests_to(origin)
        assert not any(TOKEN in str(request.headers) for request in sent)
    assert any(TOKEN in str(request.headers) for request in github.requests_to("api"))


def leading(key: str, url: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A listing with this address in place of the gist's or of its file's."""

    def listed(entry: dict[str, Any]) -> dict[str, Any]:
        if key in entry:
            return entry | {key: url}
        files = {name: file | {key: url} for name, file in entry["files"].items()}
        return entry | {"files": files}

    return listed


@pytest.mark.parametrize("key", ["raw_url", "git_pull_url"])
def test_no_listed_address_leads_elsewhere(
    github: FakeGithub, elsewhere: Elsewhere, key: str
) -> None:
    """Each is reported as incomplete with its reason; what is honest beside it is searched."""
    user = github.add_user("octocat")
    urls = lures(github.raw_host, elsewhere.host)
    for number, url in enumerate(urls):
        truncated = True if key == "git_pull_url" else None
        files = {f"{number}.txt": f"other {number}"}
        user.add_gist(files, listed=leading(key, url), truncated=truncated)
    user.add_gist({"a.txt": "needle"})
    with serving(github, github_token=TOKEN) as service:
        answer = service.search("needle").json()
        log = service.log
    assert answer["matches"] == [user.gists[-1].html_url]
    reasons = [gap["reason"] for gap in answer["incomplete"]]
    assert len(reasons) == len(urls)
    assert set(reasons) <= {"host_not_allowed", "file_unavailable"}
    assert reasons.count("host_not_allowed") >= len(urls) - 1  # of "" nothing is known
    never_asked(elsewhere, github)
    assert TOKEN not in log


@pytest.mark.parametrize("origin", ["raw", "git", "api"])
def test_no_redirect_leads_elsewhere(github: FakeGithub, elsewhere: Elsewhere, origin: str) -> None:
    """Redirects from contents, from git and from the listing itself."""
    user = github.add_user("octocat")
    user.add_gist({"a.txt": "needle"}, truncated=True if origin == "git" else None)
    with serving(github, github_token=TOKEN, cache_url="off") as service:
        for url in lures(github.raw_host, elsewhere.host):
            if "\n" in url or not url.isascii():
                continue  # no header can contain it
            github.faults.clear()
            fault = Fault(answer=answers.redirect(url))
            github.faults.inject(fault, origin=origin)  # type: ignore[arg-type]
            if origin == "raw":  # else another way would bring the file
                github.faults.inject(
                    fault, path=lambda asked: not asked.target.startswith("/users")
                )
            answer = service.search("needle", timeout=60)
            assert answer.status_code == (502 if origin == "api" else 200), (url, answer.text)
            # The others, joined to the address that names them, lead to a path of the same host.
            if origin != "api" and url.startswith(f"http://{elsewhere.host}"):
                assert answer.json()["status"] == "partial", url
            assert TOKEN not in answer.text
    assert elsewhere.heard == []
    never_asked(elsewhere, github)


def test_no_next_page_leads_elsewhere(github: FakeGithub, elsewhere: Elsewhere) -> None:
    """The listing breaks off and is reported as such."""
    github.add_user("octocat").add_gist({"a.txt": "needle"})
    with serving(github, github_token=TOKEN, cache_url="off") as service:
        for url in lures(github.api_url.removeprefix("http://"), elsewhere.host):
            if "\n" in url or not url.isascii():
                continue
            github.faults.clear()
            empty = from_json(200, [])
            page = replace(empty, headers={**empty.headers, "Link": f'<{url}>; rel="next"'})
            github.faults.inject(Fault(answer=page), origin="api")
            answer = service.search("needle", timeout=60)
            assert answer.status_code in {200, 502}
            if answer.status_code == 200 and url.startswith(f"http://{elsewhere.host}"):
                assert answer.json()["status"] == "partial", (url, answer.text)
    assert elsewhere.heard == []
    never_asked(elsewhere, github)


def test_the_other_host_would_be_heard(elsewhere: Elsewhere) -> None:
    """The host of these tests counts connections."""
    with socket.create_connection(("127.0.0.1", elsewhere.port), timeout=10) as connection:
        connection.sendall(b"here")
        assert b"needle" in connection.recv(1000)
    assert elsewhere.heard == [b"here"]
