"""What can go wrong on the way: each fault ends in time, as an error of ours, in bounded memory."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
import urllib3

from gistapi.aio.deadline import Deadline
from gistapi.errors import CancelledError, DeadlineError, GithubError
from gistapi.events import ignore
from gistapi.github.client import Client
from gistapi.github.http import USELESS, TransientError, map_exceptions
from tests.fake_github import FakeGithub, Fault, Repeated, answers
from tests.fake_github.message import text
from tests.github.asking import add_file, ask, client_of
from tests.github.proxy import BODY, head_of, https_origin, proxy, serving

FOREVER = 3600.0
SOON_SECONDS = 5.0
"""Far less than any time-out or drip in these tests would take by itself."""


def soon(began: float) -> bool:
    """Whether it did not take for ever."""
    return time.monotonic() - began < SOON_SECONDS


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_a_body_cut_at_any_byte_is_transient(
    github: FakeGithub, *, reset: bool, chunked: bool, packed: bool
) -> None:
    """Whatever is missing at the end, and however it ends, is never taken for the whole."""
    content = b"import requests\n"
    file, client = add_file(github, content), client_of(github)
    headers = {} if packed else {"Accept-Encoding": "identity"}
    ask(client, file.raw_url)
    on_the_wire = 28 if chunked else len(content)
    for at in range(on_the_wire - 5 if chunked else on_the_wire):
        github.faults.clear()
        github.faults.inject(Fault(cut_body_at=at, reset=reset, chunked=chunked))
        with (
            pytest.raises(TransientError, match="could not be read"),
            client.get(
                file.raw_url or "", kind="raw", deadline=Deadline(FOREVER), headers=headers
            ) as answer,
        ):
            assert answer.read(1000) != content
    github.faults.clear()
    assert ask(client, file.raw_url) == (200, content)


@pytest.mark.parametrize("reset", [False, True])
def test_headers_cut_at_any_byte_are_no_answer(github: FakeGithub, *, reset: bool) -> None:
    """A head without its end is an error, or at least not an answer with the whole content."""
    content = b"import requests\n"
    file, client = add_file(github, content), client_of(github)
    for at in range(0, 400, 1 if not reset else 7):
        github.faults.clear()
        rule = github.faults.inject(Fault(cut_head_at=at, reset=reset))
        try:
            assert ask(client, file.raw_url) != (200, content)
        except TransientError:
            assert rule.hits == 1
    github.faults.clear()
    assert ask(client, file.raw_url) == (200, content)


def test_a_connection_that_is_refused_or_reset_is_transient(github: FakeGithub) -> None:
    """Nobody there, or somebody who hangs up at once: another try may help."""
    file, client = add_file(github), client_of(github)
    with github.refusing("raw"), pytest.raises(TransientError, match="ConnectionError"):
        ask(client, file.raw_url)
    github.reset_connections("raw", 1)
    # Which one depends on how far we are when we are hung up on.
    with pytest.raises(TransientError, match=r"ConnectionError|ProtocolError"):
        ask(client, file.raw_url)
    assert ask(client, file.raw_url)[0] == 200


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut_head_at=0, hang=True),
        Fault(cut_head_at=30, hang=True),
        Fault(cut_body_at=0, hang=True),
        Fault(cut_body_at=9, hang=True),
        Fault(latency_seconds=30),
    ],
)
def test_silence_is_waited_for_so_long(github: FakeGithub, fault: Fault) -> None:
    """A server that falls silent, wherever in its answer, is given up after the time-out."""
    file, client = add_file(github), client_of(github, timeout_seconds=0.1)
    github.faults.inject(fault)
    began = time.monotonic()
    with pytest.raises(TransientError, match="Time"):
        ask(client, file.raw_url)
    assert soon(began)


DRIPS = [
    Fault(head_bytes_per_second=20),
    Fault(bytes_per_second=20),
    Fault(bytes_per_second=20, chunked=True),
    Fault(cut_head_at=0, hang=True),
    Fault(cut_body_at=9, hang=True),
    Fault(latency_seconds=60),
]


@pytest.mark.parametrize("fault", DRIPS)
def test_a_drip_ends_at_the_deadline(github: FakeGithub, fault: Fault) -> None:
    """Bytes that come one by one keep no request alive beyond its deadline, in headers or body."""
    file, client = add_file(github, "x" * 5000), client_of(github, timeout_seconds=30)
    github.faults.inject(fault)
    began = time.monotonic()
    with pytest.raises(DeadlineError):
        ask(client, file.raw_url, Deadline(0.2))
    assert soon(began)


@pytest.mark.parametrize("fault", DRIPS)
def test_a_drip_ends_when_the_work_is_called_off(github: FakeGithub, fault: Fault) -> None:
    """A thread that waits for the head or the body is woken from another, at once."""
    file, client = add_file(github, "x" * 5000), client_of(github, timeout_seconds=30)
    github.faults.inject(fault)
    deadline = Deadline(FOREVER)
    began = time.monotonic()
    threading.Timer(0.2, deadline.cancel).start()
    with pytest.raises(CancelledError):
        ask(client, file.raw_url, deadline)
    assert soon(began)
    github.wait_quiet(SOON_SECONDS)  # the server has noticed, too


def test_a_deadline_can_pass_between_two_chunks(github: FakeGithub) -> None:
    """What has come already is not handed on when the time is over."""
    file, client = add_file(github, Repeated(b"x", 2**20)), client_of(github)
    deadline = Deadline(FOREVER)
    with client.get(file.raw_url or "", kind="raw", deadline=deadline, headers={}) as answer:
        chunks = answer.chunks()
        assert next(chunks)
        deadline.cancel()
        with pytest.raises(CancelledError):
            next(chunks)


def test_calling_off_what_has_been_read_harms_nothing(github: FakeGithub) -> None:
    """A connection that went back to the pool is not shut by the one who had it before."""
    file, client = add_file(github), client_of(github)
    for _ in range(20):
        deadline = Deadline(FOREVER)
        with client.get(file.raw_url or "", kind="raw", deadline=deadline, headers={}) as answer:
            chunks = answer.chunks()
            next(chunks)
            if next(chunks, None) is None:
                deadline.cancel()
    assert github.traffic["raw"].connections == 1


def test_bad_gzip_is_transient(github: FakeGithub) -> None:
    """What no inflater takes is tried again."""
    file, client = add_file(github, "x" * 5000), client_of(github)
    github.faults.inject(Fault(gzip="corrupt"))
    with pytest.raises(TransientError, match="DecodeError"):
        ask(client, file.raw_url)


@pytest.mark.parametrize(
    ("delta", "words"), [(1, "ProtocolError"), (1000, "ProtocolError"), (-1, None)]
)
def test_a_wrong_length_is_never_the_content(
    github: FakeGithub, delta: int, words: str | None
) -> None:
    """More promised than sent is an error; less is a shorter body, and the rest is no answer."""
    content = b"import requests\n"
    file, client = add_file(github, content), client_of(github)
    github.faults.inject(Fault(content_length_delta=delta), times=1)
    identity = {"Accept-Encoding": "identity"}
    url = file.raw_url or ""
    with client.get(url, kind="raw", deadline=Deadline(30), headers=identity) as answer:
        if words is None:
            assert answer.read(100) == content[:delta]
        else:
            with pytest.raises(TransientError, match=words):
                answer.read(100)
    with suppress(TransientError):  # it may meet what was left over of the answer before
        assert ask(client, url) == (200, content)
    assert ask(client, url) == (200, content)


@pytest.mark.parametrize(
    "head",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n",
        b"",
    ],
)
def test_what_is_no_http_is_transient(head: bytes) -> None:
    """A server that speaks something else fails like one that is broken."""

    def talk(connected: socket.socket) -> None:
        head_of(connected)
        connected.sendall(head)

    with serving(talk) as url:
        client = Client(
            api_url=url,
            content_hosts=(url.removeprefix("http://"),),
            token=None,
            timeout_seconds=5,
            connections=1,
            observe=ignore,
        )
        with pytest.raises(TransientError):
            ask(client, f"{url}/a")


MEASURE = """
import resource, sys
from gistapi.aio.deadline import Deadline
from gistapi.errors import IncompleteError, GithubError
from gistapi.github import Github, Freshness
from gistapi.models import GistFile
from tests.github.asking import Store
api_url, raw_host = sys.argv[1:]
github = Github(api_url=api_url, content_hosts=(raw_host,), token=None, timeout_seconds=10,
                connections=4, store=Store(), trust=Freshness(0))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read = 0
before = peak()
try:
    file = GistFile("a", f"http://{raw_host}/a", None, None, None)
    for chunks in github.stream(file, Deadline(60)):
        for chunk in chunks:
            read += len(chunk)
except IncompleteError as error:
    print(error.reason, read, peak() - before)
"""


def test_a_gzip_bomb_is_read_in_bounded_memory(github: FakeGithub) -> None:
    """A gigabyte out of one MiB is read up to 100 MiB, in chunks, and is then too large."""
    github.faults.inject(Fault(answer=text(200, "x"), gzip="bomb"))
    program = [sys.executable, "-c", MEASURE, github.api_url, github.raw_host]
    root = Path(__file__).parent.parent.parent
    said = subprocess.run(program, cwd=root, capture_output=True, text=True, check=True).stdout
    reason, read, grown_kib = said.split()
    assert reason == "file_too_large"
    assert 99 * 2**20 < int(read) <= 100 * 2**20
    assert int(grown_kib) < 16 * 1024


def subclasses(root: type[BaseException]) -> Iterator[type[BaseException]]:
    """A class and all that derive from it."""
    yield root
    for derived in root.__subclasses__():
        yield from subclasses(derived)


ROOTS: tuple[type[BaseException], ...] = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    TimeoutError,
    ConnectionError,
    ssl.SSLError,
)
THEIRS = sorted(
    {
        error
        for root in ROOTS
        for error in subclasses(root)
        if error.__module__.partition(".")[0]
        in {"requests", "urllib3", "http", "builtins", "ssl", "socket"}
        and not issubclass(error, Warning)
    },
    key=str,
)


@pytest.mark.parametrize("error", THEIRS, ids=lambda error: f"{error.__module__}.{error.__name__}")
def test_every_error_of_the_libraries_is_one_of_ours(error: type[BaseException]) -> None:
    """Whatever requests, urllib3 or the standard library raises becomes a GithubError."""
    useless = issubclass(error, USELESS)
    expected = GithubError if useless else TransientError
    with (
        pytest.raises(GithubError, match=error.__name__) as raised,
        map_exceptions(Deadline(FOREVER)),
    ):
        raise error.__new__(error)
    assert type(raised.value) is expected


def test_the_libraries_errors_were_found() -> None:
    """The walk over their classes finds those that everybody knows."""
    names = {error.__name__ for error in THEIRS}
    assert {"ReadTimeout", "ProtocolError", "IncompleteRead", "SSLError", "ProxyError"} <= names
    assert len(THEIRS) > 50


def test_other_errors_are_told_apart() -> None:
    """Ours pass as they are; a fault of the code is no failure of GitHub's."""
    with pytest.raises(GithubError, match="ours"), map_exceptions(Deadline(FOREVER)):
        raise GithubError("ours")
    with pytest.raises(ZeroDivisionError), map_exceptions(Deadline(FOREVER)):
        raise ZeroDivisionError
    with pytest.raises(DeadlineError), map_exceptions(Deadline(0)):
        raise ConnectionResetError


# what the environment says


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Give an authority that `REQUESTS_CA_BUNDLE` names."""
    made = trustme.CA()
    bundle = tmp_path / "authority.pem"
    made.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    return made


def secure_client(url: str, **about: Any) -> Client:
    """A client of an HTTPS origin that is both the API and a content host."""
    host = url.removeprefix("https://")
    settings: dict[str, Any] = {"token": None, "timeout_seconds": 5, "connections": 2}
    return Client(api_url=url, content_hosts=(host,), observe=ignore, **settings | about)


def test_the_certificates_of_the_environment_are_trusted(authority: trustme.CA) -> None:
    """With `REQUESTS_CA_BUNDLE` an authority of one's own is good."""
    seen: list[bytes] = []
    with https_origin(authority, seen) as url:
        assert ask(secure_client(url), f"{url}/a") == (200, BODY)
    assert seen[0].startswith(b"GET /a HTTP/1.1\r\n")


def test_a_stranger_is_not_trusted() -> None:
    """Without it, or with another, nothing is read."""
    seen: list[bytes] = []
    with https_origin(trustme.CA(), seen) as url, pytest.raises(TransientError, match="SSLError"):
        ask(secure_client(url), f"{url}/a")
    assert seen == []


def test_waiting_over_tls_is_called_off(authority: trustme.CA) -> None:
    """Shutting the socket under TLS wakes its reader as well."""
    with https_origin(authority, []) as url:
        client, deadline = secure_client(url, timeout_seconds=30), Deadline(FOREVER)
        assert ask(client, f"{url}/a") == (200, BODY)
        began = time.monotonic()
        threading.Timer(0.2, deadline.cancel).start()
        with pytest.raises(CancelledError):
            ask(client, f"{url}/never", deadline)  # this origin answers once a connection
        with pytest.raises(DeadlineError):
            ask(client, f"{url}/again", Deadline(0))
        assert soon(began)


def test_https_goes_through_the_proxy(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`HTTPS_PROXY` gets a CONNECT and sees no more than that; the token stays inside."""
    tunnelled: list[bytes] = []
    seen: list[bytes] = []
    with https_origin(authority, seen) as url, proxy(tunnelled) as proxy_url:
        monkeypatch.setenv("HTTPS_PROXY", proxy_url.replace("://", "://user:secret@"))
        client = secure_client(url, token="canary-token")
        with client.get(f"{url}/a", kind="list", deadline=Deadline(30), headers={}) as answer:
            assert answer.read(100) == BODY
    assert tunnelled[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=" in tunnelled[0]
    assert b"canary" not in b"".join(tunnelled)
    assert b"Authorization: Bearer canary-token" in seen[0]
    assert b"Proxy-Authorization" not in seen[0]


@pytest.mark.parametrize("direct", [False, True])
def test_http_goes_through_the_proxy(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch, *, direct: bool
) -> None:
    """`HTTP_PROXY` gets the whole address, unless `NO_PROXY` names the host."""
    forwarded: list[bytes] = []
    file = add_file(github, "found", "a b.txt")
    with proxy(forwarded) as proxy_url:
        monkeypatch.setenv("HTTP_PROXY", proxy_url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1" if direct else "elsewhere.example")
        assert ask(client_of(github), file.raw_url) == (200, b"found")
    lines = [head.partition(b"\r\n")[0] for head in forwarded]
    assert lines == ([] if direct else [f"GET {file.raw_url} HTTP/1.1".encode()])


def test_a_proxy_that_is_none_is_an_error(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy nobody can speak to is told, and is no crash."""
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(GithubError, match="InvalidSchema"):
        ask(client_of(github), f"{github.raw_url}/a")
    assert not github.requests


def test_netrc_is_never_read(
    github: FakeGithub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password that lies about for the host is not sent, by whatever name the file goes."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login octocat password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    # the bait is good: requests by itself would take it
    requests.get(f"{github.raw_url}/bait", timeout=5)
    assert "authorization" in github.requests[0].headers
    github.forget()
    file, client = add_file(github), client_of(github)
    github.faults.inject(Fault(answer=answers.redirect(file.raw_url or "")), path="/moved")
    ask(client, f"{github.raw_url}/moved")
    url = f"{github.api_url}/users/octocat/gists"
    with client.get(url, kind="list", deadline=Deadline(30), headers={}) as answer:
        assert answer.status == 200
    assert len(github.requests) == 3
    assert not [request for request in github.requests if "authorization" in request.headers]


def test_cookies_are_not_kept(github: FakeGithub) -> None:
    """A cookie that a host sets does not come back."""
    github.faults.inject(Fault(answer=text(200, "", set_cookie="a=b; Path=/")))
    client = client_of(github)
    for _ in range(2):
        ask(client, f"{github.raw_url}/a")
    assert [request.headers.get("cookie") for request in github.requests] == [None, None]
