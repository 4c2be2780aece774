"""Faults of HTTP: each ends in time, as an error of ours, in bounded memory."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
import trustme
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http_exceptions import HttpProcessingError

from gistapi.errors import GithubError, IncompleteError, SettingsError
from gistapi.events import Event, GithubRequestEnded
from gistapi.github.client import Client
from gistapi.github.environment import check_environment
from gistapi.github.http_errors import SilenceError, TransientError, cause_of, mapped_errors
from gistapi.github.raw import RawFiles
from tests.fake_github import FakeGithub, Fault, answers
from tests.fake_github.message import text
from tests.github.asking import add_file, ask, client_of, on_loop, open_client, scope_of
from tests.github.proxy import BODY, head_of, https_origin, proxy, serving
from tests.waiting import HANG_SECONDS


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("packed", [False, True])
@on_loop
async def test_a_body_cut_at_any_byte_is_transient(
    github: FakeGithub, *, reset: bool, chunked: bool, packed: bool
) -> None:
    """A body with any bytes missing, however the connection ends, is never taken as complete."""
    content = b"import requests\n"
    file, client = add_file(github, content), client_of(github)
    headers = {} if packed else {"Accept_Encoding": "identity"}
    await ask(client, file.raw_url)
    on_the_wire = 28 if chunked else len(content)
    for at in range(on_the_wire - 5 if chunked else on_the_wire):
        github.faults.clear()
        github.faults.inject(Fault(cut_body_at=at, reset=reset, chunked=chunked))
        with pytest.raises(TransientError, match="GitHub"):
            await ask(client, file.raw_url, None, **headers)
    github.faults.clear()
    assert await ask(client, file.raw_url) == (200, content)


@pytest.mark.parametrize("reset", [False, True])
@on_loop
async def test_headers_cut_at_any_byte_are_no_answer(github: FakeGithub, *, reset: bool) -> None:
    """An incomplete head is an error, or at least not an answer with the whole content."""
    content = b"import requests\n"
    file, client = add_file(github, content), client_of(github)
    for at in range(0, 400, 1 if not reset else 7):
        github.faults.clear()
        rule = github.faults.inject(Fault(cut_head_at=at, reset=reset))
        try:
            assert await ask(client, file.raw_url) != (200, content)
        except TransientError:
            assert rule.hits == 1
    github.faults.clear()
    assert await ask(client, file.raw_url) == (200, content)


@on_loop
async def test_a_connection_that_is_refused_or_reset_is_transient(github: FakeGithub) -> None:
    """Another attempt may succeed."""
    file, client = add_file(github), client_of(github)
    with github.refusing("raw"), pytest.raises(TransientError, match="the connection was refused"):
        await ask(client, file.raw_url)
    github.reset_connections("raw", 1)
    with pytest.raises(TransientError, match="closed the connection"):
        await ask(client, file.raw_url)
    assert (await ask(client, file.raw_url))[0] == 200


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut_head_at=0, hang=True),
        Fault(cut_head_at=30, hang=True),
        Fault(cut_body_at=0, hang=True),
        Fault(cut_body_at=9, hang=True),
        Fault(latency_seconds=3600),
        Fault(head_bytes_per_second=20),
        Fault(bytes_per_second=20),
        Fault(bytes_per_second=20, chunked=True),
    ],
)
@on_loop
async def test_a_silent_server_is_given_up(github: FakeGithub, fault: Fault) -> None:
    """A server that stops sending or sends too slowly, anywhere in its answer, is given up."""
    file, client = add_file(github, "x" * 50000), client_of(github, timeout_seconds=1)
    github.faults.inject(fault)
    with pytest.raises(SilenceError):
        await ask(client, file.raw_url, None, Accept_Encoding="identity")


@pytest.mark.parametrize("bytes_per_second", [None, 20])
@on_loop
async def test_a_file_without_progress_is_given_up_after_two_timeouts(
    github: FakeGithub, bytes_per_second: float | None
) -> None:
    """Only that file is unavailable."""
    hanging, other = add_file(github, "x" * 5000, "a"), add_file(github, "found", "b")
    files = RawFiles(client_of(github, timeout_seconds=1))
    fault = Fault(cut_body_at=0, hang=True)
    if bytes_per_second:
        fault = Fault(bytes_per_second=bytes_per_second)
    github.faults.inject(fault, path=(hanging.raw_url or "").removeprefix(github.raw_url))
    with pytest.raises(IncompleteError, match="timeout") as raised:
        await files.read(hanging, scope_of())
    assert raised.value.reason == "file_unavailable"
    assert len(github.requests) == 2
    assert await files.read(other, scope_of()) == b"found"


@on_loop
async def test_bad_gzip_is_transient(github: FakeGithub) -> None:
    """A body that cannot be decompressed is requested again."""
    file, client = add_file(github, "x" * 5000), client_of(github)
    github.faults.inject(Fault(gzip="corrupt"))
    with pytest.raises(TransientError, match="could not be decompressed"):
        await ask(client, file.raw_url)


@pytest.mark.parametrize("delta", [1, 1000, -1])
@on_loop
async def test_a_wrong_length_is_never_the_content(github: FakeGithub, delta: int) -> None:
    """Too few bytes are an error; with too many, the body is cut and the rest is no answer."""
    content = b"import requests\n"
    file, client = add_file(github, content), client_of(github)
    github.faults.inject(Fault(content_length_delta=delta), times=1)
    with suppress(TransientError):
        _, short = await ask(client, file.raw_url, None, Accept_Encoding="identity")
        assert short == content[:-1]
    with suppress(TransientError):  # the connection that was used before may be closed
        assert await ask(client, file.raw_url) == (200, content)
    assert await ask(client, file.raw_url) == (200, content)


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
@on_loop
async def test_an_answer_that_is_not_http_is_transient(head: bytes) -> None:
    """A server of another protocol is treated like a broken one."""

    def talk(connected: socket.socket) -> None:
        head_of(connected)
        connected.sendall(head)

    with serving(talk) as url:
        client = open_client(url, url.removeprefix("http://"))
        with pytest.raises(TransientError):
            await ask(client, f"{url}/a")


PLAIN = b"import requests\n"


@pytest.mark.parametrize(
    ("coding", "body", "is_read"),
    [
        ("identity", PLAIN, True),
        ("GZIP", gzip.compress(PLAIN, mtime=0), True),
        ("x-gzip", gzip.compress(PLAIN[:5], mtime=0) + gzip.compress(PLAIN[5:], mtime=0), True),
        ("deflate", zlib.compress(PLAIN), True),
        ("deflate", zlib.compress(PLAIN)[2:-4], True),
        ("gzip", PLAIN, False),
        ("gzip", gzip.compress(PLAIN, mtime=0) + b"more", False),
        ("gzip", gzip.compress(PLAIN, mtime=0)[:-9], False),
        ("gzip", gzip.compress(PLAIN, mtime=0)[:-1], False),
        ("deflate", zlib.compress(PLAIN)[:-1], False),
        ("br", PLAIN, False),
        ("zstd", PLAIN, False),
        ("gzip, gzip", gzip.compress(gzip.compress(PLAIN, mtime=0), mtime=0), False),
    ],
)
@on_loop
async def test_a_body_is_decoded_or_an_error(*, coding: str, body: bytes, is_read: bool) -> None:
    """A body that is incomplete, or not in the coding that its head names, is never a content."""

    def talk(connected: socket.socket) -> None:
        head_of(connected)
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}"
        connected.sendall(f"{head}\r\n\r\n".encode() + body)

    with serving(talk) as url:
        client = open_client(url, url.removeprefix("http://"))
        if is_read:
            assert await ask(client, f"{url}/a") == (200, PLAIN)
        else:
            with pytest.raises(TransientError):
                await ask(client, f"{url}/a")


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" * 3,
        b"HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.1 199 Strange\r\n\r\n",
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
@on_loop
async def test_interim_answers_are_skipped(interim: bytes, *, at_once: bool) -> None:
    """The final answer is returned, for each of several requests on one connection."""

    def talk(connected: socket.socket) -> None:
        while head := head_of(connected):
            path = head.split()[1]
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path)
            if at_once:
                connected.sendall(interim + answer)
            else:
                connected.sendall(interim)
                connected.sendall(answer)

    with serving(talk) as url:
        client = open_client(url, url.removeprefix("http://"))
        for path in ("/a", "/b", "/c"):
            assert await ask(client, url + path) == (200, path.encode())


@pytest.mark.parametrize("extra", ["with the answer", "afterwards"])
@on_loop
async def test_a_connection_with_an_extra_answer_is_not_reused(extra: str) -> None:
    """An unsolicited answer is never taken for that of the next request."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%b"
    has_read, sent_more = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def talk(connected: socket.socket) -> None:
        while head := head_of(connected):
            right = answer % (head.split()[1] + b"---")
            if extra == "with the answer":
                connected.sendall(right + answer % b"wrong")
            else:
                connected.sendall(right)
                has_read.wait(HANG_SECONDS)  # the connection is idle by now
                has_read.clear()
                connected.sendall(answer % b"wrong")
            loop.call_soon_threadsafe(sent_more.set)

    with serving(talk) as url:
        client = open_client(url, url.removeprefix("http://"))
        for path in ("/a", "/b", "/c"):
            assert await ask(client, url + path) == (200, path.encode() + b"---")
            has_read.set()
            await sent_more.wait()
            sent_more.clear()
            await asyncio.sleep(0.01)  # lets the loop read what was sent


@on_loop
async def test_a_request_is_sent_once(github: FakeGithub) -> None:
    """When a kept connection breaks, aiohttp does not send the request again unnoticed."""
    file, client = add_file(github), client_of(github)
    assert (await ask(client, file.raw_url))[0] == 200
    github.faults.inject(Fault(cut_head_at=0, reset=True), times=1)
    with pytest.raises(TransientError, match="closed the connection"):
        await ask(client, file.raw_url)
    assert len(github.requests) == 2


MEASURE = """
import resource, sys
from gistapi.errors import IncompleteError
from gistapi.github.raw import RawFiles
from gistapi.models import GistFile
from tests.github.asking import on_loop, open_client, scope_of
api_url, raw_host = sys.argv[1:]
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

@on_loop
async def main():
    files = RawFiles(open_client(api_url, raw_host))
    read = 0
    before = peak()
    try:
        file = GistFile("a", f"http://{raw_host}/a", None, None, None)
        async for chunks in files.stream(file, scope_of()):
            async for chunk in chunks:
                read += len(chunk)
    except IncompleteError as error:
        print(error.reason, read, peak() - before)

main()
"""


def test_a_gzip_bomb_is_read_in_bounded_memory(github: FakeGithub) -> None:
    """Of a gigabyte out of one MiB, 100 MiB are read in chunks; then the file is too large."""
    github.faults.inject(Fault(answer=text(200, "x"), gzip="bomb"))
    program = [sys.executable, "-c", MEASURE, github.api_url, github.raw_host]
    root = Path(__file__).parent.parent.parent
    said = subprocess.run(program, cwd=root, capture_output=True, text=True, check=True).stdout
    reason, read, grown_kib = said.split()
    assert reason == "file_too_large"
    assert 99 * 2**20 < int(read) <= 100 * 2**20
    assert int(grown_kib) < 16 * 1024


def subclasses(root: type[BaseException]) -> Iterator[type[BaseException]]:
    """Yield a class and all its subclasses."""
    yield root
    for derived in root.__subclasses__():
        yield from subclasses(derived)


PERMANENT = {
    aiohttp.InvalidURL,
    aiohttp.InvalidUrlClientError,
    aiohttp.InvalidUrlRedirectClientError,
    aiohttp.NonHttpUrlClientError,
    aiohttp.NonHttpUrlRedirectClientError,
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ServerFingerprintMismatch,
    ssl.SSLCertVerificationError,
}
ROOTS = (aiohttp.ClientError, HttpProcessingError, ssl.SSLError, TimeoutError, ConnectionError)
THEIRS = sorted(
    {
        error
        for root in ROOTS
        for error in subclasses(root)
        if error.__module__.partition(".")[0] in {"aiohttp", "builtins", "ssl", "socket"}
    },
    key=str,
)


@pytest.mark.parametrize("error", THEIRS, ids=lambda error: f"{error.__module__}.{error.__name__}")
def test_every_error_of_the_libraries_is_one_of_ours(error: type[Exception]) -> None:
    """Every error of aiohttp and of the standard library becomes a GithubError in plain words."""
    raised = error.__new__(error)
    if issubclass(error, aiohttp.ClientHttpProxyError):
        raised.status = 503  # type: ignore[attr-defined]
    with pytest.raises(GithubError, match="GitHub") as ours, mapped_errors():
        raise raised
    assert (type(ours.value) is GithubError) == (error in PERMANENT)
    assert error.__name__ not in str(ours.value)


def test_the_libraries_errors_were_found() -> None:
    """The search for subclasses finds the well-known ones."""
    names = {error.__name__ for error in THEIRS}
    assert {"SocketTimeoutError", "ClientPayloadError", "ClientConnectorDNSError"} <= names
    assert len(THEIRS) > 40


KEY = ConnectionKey("gist.github.com", 443, *(True, True), None, None, None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "Name or service not known")),
            "could not be resolved",
        ),
        (
            aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError(1, "self")),
            "certificate is not trusted",
        ),
        (
            aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(111, "refused")),
            "the connection was refused",
        ),
        (
            aiohttp.ClientProxyConnectionError(KEY, ConnectionRefusedError(111, "refused")),
            "the proxy does not answer",
        ),
        (aiohttp.ClientOSError(104, "reset"), "closed the connection"),
        (aiohttp.ServerDisconnectedError(), "closed the connection"),
    ],
)
def test_causes_are_in_plain_words(error: Exception, words: str) -> None:
    """The caller reads what happened; the log has the library's message, without credentials."""
    with pytest.raises(GithubError, match=words) as ours, mapped_errors():
        raise error
    assert cause_of(ours.value).startswith(type(error).__name__)
    secret = aiohttp.ClientError("via http://user:canary@proxy:1/")
    assert cause_of(secret) == "ClientError: via http://***@proxy:1/"


def test_other_errors_differ() -> None:
    """Our errors pass unchanged; a bug is no failure of GitHub's."""
    with pytest.raises(GithubError, match="ours"), mapped_errors():
        raise GithubError("ours")
    with pytest.raises(ZeroDivisionError), mapped_errors():
        raise ZeroDivisionError


# settings of the environment


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Return an authority that `REQUESTS_CA_BUNDLE` names."""
    made = trustme.CA()
    bundle = tmp_path / "authority.pem"
    made.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    return made


def secure_client(url: str, **about: Any) -> Client:
    """A client of an HTTPS origin that is both the API and a content host."""
    return open_client(url, url.removeprefix("https://"), **about)


@on_loop
async def test_the_ca_bundle_of_the_environment_is_trusted(authority: trustme.CA) -> None:
    """`REQUESTS_CA_BUNDLE` may name a private certificate authority."""
    seen: list[bytes] = []
    with https_origin(authority, seen) as url:
        check_environment(url, [])
        assert await ask(secure_client(url), f"{url}/a") == (200, BODY)
    assert seen[0].startswith(b"GET /a HTTP/1.1\r\n")


@on_loop
async def test_an_unknown_authority_is_not_trusted() -> None:
    """Without the bundle, or with another, nothing is read, and the error is not retried."""
    seen: list[bytes] = []
    events: list[Event] = []
    with https_origin(trustme.CA(), seen) as url:
        with pytest.raises(GithubError, match="certificate is not trusted") as raised:
            await ask(secure_client(url, observe=events.append), f"{url}/a")
        assert not isinstance(raised.value, TransientError)
    assert seen == []
    (ended,) = [event for event in events if isinstance(event, GithubRequestEnded)]
    assert ended.message is not None
    assert "self-signed" in ended.message or "unable to get local issuer" in ended.message


@pytest.mark.parametrize("bundle", ["missing.pem", "empty.pem"])
@on_loop
async def test_an_unreadable_ca_bundle_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: str
) -> None:
    """The service does not start; a request that finds the bundle unreadable fails at once."""
    (tmp_path / "empty.pem").write_text("nothing")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / bundle))
    with pytest.raises(SettingsError, match=rf"REQUESTS_CA_BUNDLE: .*{bundle}"):
        check_environment("https://api.github.com", ["gist.github.com"])
    with pytest.raises(GithubError, match=rf"REQUESTS_CA_BUNDLE: .*{bundle}") as raised:
        await ask(secure_client("https://127.0.0.1:9"), "https://127.0.0.1:9/a")
    assert not isinstance(raised.value, TransientError)


@pytest.mark.parametrize(
    ("proxy_url", "words"),
    [
        ("socks5://user:canary@127.0.0.1:1", "SOCKS"),
        ("ftp://user:canary@127.0.0.1:1", "not a URL"),
        ("http://user:canary@:x", "not a URL"),
    ],
)
@on_loop
async def test_an_unusable_proxy_is_reported(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch, proxy_url: str, words: str
) -> None:
    """The service does not start, and requests fail; one message for all hosts has no secret."""
    monkeypatch.setenv("HTTP_PROXY", proxy_url)
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(SettingsError, match=words) as raised:
        check_environment(github.api_url, [github.raw_host])
    assert "canary" not in str(raised.value)
    with pytest.raises(GithubError, match=words) as failed:
        await ask(client_of(github), f"{github.raw_url}/a")
    assert "canary" not in str(failed.value)
    assert not isinstance(failed.value, TransientError)
    assert not github.requests


@on_loop
async def test_https_goes_through_the_proxy(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`HTTPS_PROXY` sees the CONNECT and nothing else; the token is sent inside the tunnel."""
    tunnelled: list[bytes] = []
    seen: list[bytes] = []
    with https_origin(authority, seen) as url, proxy(tunnelled) as proxy_url:
        monkeypatch.setenv("HTTPS_PROXY", proxy_url.replace("://", "://user:secret@"))
        client = secure_client(url, token="canary-token")
        async with client.get(f"{url}/a", kind="list", scope=scope_of(), headers={}) as answer:
            assert await answer.read(100) == BODY
    assert tunnelled[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=" in tunnelled[0]
    assert b"canary" not in b"".join(tunnelled)
    assert b"Authorization: Bearer canary-token" in seen[0]
    assert b"Proxy-Authorization" not in seen[0]


@pytest.mark.parametrize(("status", "is_final"), [(407, True), (503, False)])
@on_loop
async def test_a_proxys_refusal_is_reported(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, *, status: int, is_final: bool
) -> None:
    """The error has the proxy's status; a missing password is not retried."""
    del authority

    def talk(connected: socket.socket) -> None:
        head_of(connected)
        connected.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)

    with serving(talk) as proxy_url:
        monkeypatch.setenv("HTTPS_PROXY", proxy_url)
        with pytest.raises(GithubError, match=f"the proxy answered {status}") as raised:
            await ask(secure_client("https://127.0.0.1:9"), "https://127.0.0.1:9/a")
    assert isinstance(raised.value, TransientError) is not is_final


@pytest.mark.parametrize("direct", [False, True])
@on_loop
async def test_http_goes_through_the_proxy(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch, *, direct: bool
) -> None:
    """`HTTP_PROXY` gets the absolute URL, unless `NO_PROXY` names the host."""
    forwarded: list[bytes] = []
    file = add_file(github, "found", "a b.txt")
    with proxy(forwarded) as proxy_url:
        monkeypatch.setenv("HTTP_PROXY", proxy_url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1" if direct else "elsewhere.example")
        assert await ask(client_of(github), file.raw_url) == (200, b"found")
    lines = [head.partition(b"\r\n")[0] for head in forwarded]
    assert lines == ([] if direct else [f"GET {file.raw_url} HTTP/1.1".encode()])


@on_loop
async def test_a_proxys_password_is_sent(
    github: FakeGithub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy of a plain origin gets its password with the request itself."""
    forwarded: list[bytes] = []
    file, client = add_file(github, "found"), client_of(github)
    with proxy(forwarded) as proxy_url:
        monkeypatch.setenv("HTTP_PROXY", proxy_url.replace("//", "//octo:cat@"))
        monkeypatch.setenv("NO_PROXY", "elsewhere.example")
        assert await ask(client, file.raw_url) == (200, b"found")
    assert b"\r\nProxy-Authorization: Basic b2N0bzpjYXQ=\r\n" in forwarded[0]


@on_loop
async def test_netrc_is_never_read(
    github: FakeGithub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No password for the host is sent from any of its files."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login octocat password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    # the file is valid: requests reads it by default
    await asyncio.to_thread(requests.get, f"{github.raw_url}/bait", timeout=5)
    assert "authorization" in github.requests[0].headers
    github.forget()
    file, client = add_file(github), client_of(github)
    github.faults.inject(Fault(answer=answers.redirect(file.raw_url or "")), path="/moved")
    await ask(client, f"{github.raw_url}/moved")
    url = f"{github.api_url}/users/octocat/gists"
    async with client.get(url, kind="list", scope=scope_of(), headers={}) as answer:
        assert answer.status == 200
    assert len(github.requests) == 3
    assert not [request for request in github.requests if "authorization" in request.headers]


@on_loop
async def test_cookies_are_not_stored(github: FakeGithub) -> None:
    """A cookie that a host sets is not sent back."""
    github.faults.inject(Fault(answer=text(200, "", set_cookie="a=b; Path=/")))
    client = client_of(github)
    for _ in range(2):
        await ask(client, f"{github.raw_url}/a")
    assert [request.headers.get("cookie") for request in github.requests] == [None, None]
