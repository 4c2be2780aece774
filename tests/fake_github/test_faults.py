"""The fake GitHub's faults, as a real client sees them."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import requests
import urllib3

from tests.fake_github import FakeGithub, Fault, Pace, Repeated, answers, faults
from tests.waiting import HANG_SECONDS, until

TEXT = "0123456789" * 10
# a client that retries by itself would hide the server's behaviour
ONCE = {"Connection": "close", "Accept-Encoding": "identity"}


@pytest.fixture
def url(github: FakeGithub) -> str:
    """Return the raw address of a file that holds TEXT."""
    gist = github.add_user("octocat").add_gist({"a": TEXT})
    return github.raw_url + gist.raw_path(gist.files["a"])


def wire(url: str, **headers: str) -> tuple[bytes, bool]:
    """All bytes that the server sends for a GET, and whether it ended the connection by RST."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    fields = {"Host": parts.netloc, "User-Agent": "test", "Connection": "close", **headers}
    lines = [f"GET {parts.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    received = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as client:
        client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        try:
            while data := client.recv(65536):
                received += data
        except ConnectionResetError:
            return received, True
    return received, False


def test_a_fault_applies_to_a_number_of_requests(
    github: FakeGithub, http: requests.Session, url: str
) -> None:
    """`times` requests fail, then requests succeed; the rule counts the failed ones."""
    rule = github.faults.inject(Fault(answer=answers.server_error(503)), origin="raw", times=2)
    codes = [http.get(url, timeout=10).status_code for _ in range(4)]
    assert codes == [503, 503, 200, 200]
    assert rule.hits == 2


def test_a_fault_applies_to_an_origin_and_path(
    github: FakeGithub, http: requests.Session, url: str
) -> None:
    """The first rule that applies to a request decides."""
    inject = github.faults.inject
    inject(Fault(answer=answers.server_error(500)), origin="api", path="/gists")
    inject(Fault(answer=answers.server_error(501)), path=lambda request: request.method == "PUT")
    rule = inject(Fault(answer=answers.server_error(502)), path="octocat")
    user = f"{github.api_url}/users/octocat"
    asked = [("GET", user + "/gists"), ("PUT", user), ("GET", user), ("GET", url)]
    codes = [http.request(method, target, timeout=10).status_code for method, target in asked]
    github.faults.remove(rule)
    codes.append(http.get(user, timeout=10).status_code)
    github.faults.clear()
    codes.append(http.get(user + "/gists", timeout=10).status_code)
    assert codes == [500, 501, 502, 502, 200, 200]


def test_a_random_fault_is_reproducible(
    github: FakeGithub, http: requests.Session, url: str
) -> None:
    """Its probability is drawn from a seed."""
    runs = []
    for seed in (1, 1, 2):
        fault = Fault(answer=answers.server_error())
        rule = github.faults.inject(fault, probability=0.5, seed=seed)
        runs.append([http.get(url, timeout=10).status_code for _ in range(20)])
        github.faults.remove(rule)
    assert runs[0] == runs[1] != runs[2]
    assert set(runs[0]) == {200, 502}


def test_a_fault_can_expire(
    github: FakeGithub, http: requests.Session, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault ends `seconds` after it was added."""
    now = [0.0]
    monkeypatch.setattr(faults, "time", SimpleNamespace(monotonic=lambda: now[0]))
    github.faults.inject(Fault(answer=answers.raw_limit()), seconds=30)
    limited = http.get(url, timeout=10).status_code
    now[0] = 30.0
    assert (limited, http.get(url, timeout=10).status_code) == (429, 200)


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("where", ["head", "body"])
def test_a_cut_after_any_byte(github: FakeGithub, url: str, where: str, *, reset: bool) -> None:
    """Exactly the bytes before the cut arrive; then the connection ends as the fault specifies."""
    sound, _ = wire(url)
    head = sound.index(b"\r\n\r\n") + 4
    for count in (0, 1, 7, 99):
        if where == "head":
            fault, kept = Fault(cut_head_at=count, reset=reset), sound[:count]
        else:
            fault, kept = Fault(cut_body_at=count, reset=reset), sound[: head + count]
        rule = github.faults.inject(fault)
        received, was_reset = wire(url)
        github.faults.remove(rule)
        # the Date may have changed
        assert (len(received), received[:15], was_reset) == (len(kept), kept[:15], reset)


def test_a_server_can_stop_sending(github: FakeGithub, http: requests.Session, url: str) -> None:
    """`hang` sends nothing, or nothing after the cut; the record says that the client left."""
    github.faults.inject(Fault(hang=True), times=1)
    with pytest.raises(requests.ReadTimeout):
        http.get(url, timeout=1)
    github.faults.inject(Fault(hang=True, cut_body_at=5), times=1)
    with http.get(url, headers=ONCE, timeout=1, stream=True) as response:
        assert response.raw.read(5) == b"01234"
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            response.raw.read(1)
    github.wait_quiet()
    assert [request.aborted for request in github.requests] == [True, True]
    assert github.requests[0].sent_bytes == 0


def test_the_fake_stops_although_requests_hang(http: requests.Session) -> None:
    """Closing the fake closes their connections."""
    with FakeGithub() as github:
        github.faults.inject(Fault(hang=True))
        with pytest.raises(requests.ReadTimeout):
            http.get(f"{github.api_url}/users/octocat", timeout=1)
    with pytest.raises(requests.ConnectionError):
        http.get(f"{github.api_url}/users/octocat", timeout=1)


@pytest.mark.parametrize(("delta", "length"), [(10, "110"), (-10, "90")])
def test_a_wrong_length(github: FakeGithub, url: str, delta: int, length: str) -> None:
    """The body is complete, but its Content-Length is wrong; then the connection is closed."""
    github.faults.inject(Fault(content_length_delta=delta))
    head, _, body = wire(url, **{"Accept-Encoding": "identity"})[0].partition(b"\r\n\r\n")
    assert f"Content-Length: {length}".encode() in head
    assert body == TEXT.encode()


def test_a_chunked_body_and_its_cut(github: FakeGithub, http: requests.Session, url: str) -> None:
    """The chunks carry the same body; if it is cut, the last chunk is missing."""
    github.faults.inject(Fault(chunked=True), times=1)
    whole = http.get(url, headers=ONCE, timeout=10)
    assert (whole.headers["Transfer-Encoding"], whole.text) == ("chunked", TEXT)
    sound = b"64\r\n" + TEXT.encode() + b"\r\n0\r\n\r\n"
    for cut in (0, 1, 3, 4, 50, 104, 106, 107, 109):
        github.faults.inject(Fault(chunked=True, cut_body_at=cut), times=1)
        assert wire(url)[0].partition(b"\r\n\r\n")[2] == sound[:cut]


@pytest.mark.parametrize("spoiled", ["corrupt", "truncated"])
def test_bad_gzip(github: FakeGithub, http: requests.Session, url: str, spoiled: str) -> None:
    """A body that claims to be gzip cannot be decompressed to the content."""
    kind = {"corrupt": Fault(gzip="corrupt"), "truncated": Fault(gzip="truncated")}[spoiled]
    github.faults.inject(kind)
    with http.get(url, timeout=10, stream=True) as response:
        body = response.raw.read(decode_content=False)
    assert response.headers["Content-Encoding"] == "gzip"
    with pytest.raises((EOFError, OSError, zlib.error)):
        gzip.decompress(body)


def test_a_gzip_bomb(github: FakeGithub, http: requests.Session, url: str) -> None:
    """A megabyte of valid gzip decompresses to a gibibyte of zeros."""
    github.faults.inject(Fault(gzip="bomb"))
    with http.get(url, timeout=10, stream=True) as response:
        packed = response.raw.read(decode_content=False)
    inflater, size, rest = zlib.decompressobj(wbits=31), 0, packed
    while not inflater.eof:  # which checks sum and length
        size += len(inflater.decompress(rest, 1 << 22))
        rest = inflater.unconsumed_tail
    assert len(packed) < 2_000_000
    assert size == 1 << 30


def test_other_content(github: FakeGithub, http: requests.Session, url: str) -> None:
    """`corrupt` sends the announced number of bytes, with another content."""
    github.faults.inject(Fault(corrupt=True))
    body = http.get(url, timeout=10).text
    assert len(body) == len(TEXT)
    assert body != TEXT


def test_a_connection_closed_after_keep_alive(github: FakeGithub, url: str) -> None:
    """`close_after` announces keep-alive and closes the connection."""
    github.faults.inject(Fault(close_after=True))
    received, was_reset = wire(url, Connection="keep-alive")
    assert b"connection" not in received.lower()
    assert received.endswith(TEXT.encode())
    assert not was_reset


@pytest.mark.parametrize(
    ("fault", "least"),
    [
        (Fault(latency_seconds=0.2), 0.2),
        (Fault(bytes_per_second=500), 0.15),
        (Fault(head_bytes_per_second=1500), 0.15),
    ],
    ids=["latency", "slow body", "slow head"],
)
def test_slowness(
    github: FakeGithub, http: requests.Session, url: str, fault: Fault, least: float
) -> None:
    """Latency, a slow body and a slow head take at least the time they should."""
    github.faults.inject(fault)
    began = time.monotonic()
    assert http.get(url, headers=ONCE, timeout=10).text == TEXT
    assert time.monotonic() - began >= least


def test_an_answer_is_held_until_its_event_is_set(
    github: FakeGithub, http: requests.Session, url: str
) -> None:
    """Other requests do not wait for it."""
    gate = threading.Event()
    github.faults.inject(Fault(held=gate), times=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(requests.get, url, timeout=HANG_SECONDS)
        until(lambda: len(github.requests) == 1)
        assert http.get(url, timeout=10).text == TEXT
        assert not first.done()
        gate.set()
        assert first.result().text == TEXT


@pytest.mark.parametrize("shared", [False, True])
def test_an_origin_has_latency_and_bandwidth(
    github: FakeGithub, http: requests.Session, *, shared: bool
) -> None:
    """Both apply to each of its answers."""
    gist = github.add_user("octocat").add_gist({"a": "x" * 3000})
    raw = github.traffic["raw"]
    raw.latency_seconds = 0.1
    if shared:
        raw.shared_pace = Pace(10_000)
    else:
        raw.bytes_per_second = 10_000
    began = time.monotonic()
    http.get(github.raw_url + gist.raw_path(gist.files["a"]), headers=ONCE, timeout=10)
    assert time.monotonic() - began >= 0.3


def test_a_disconnect_is_recorded(github: FakeGithub, http: requests.Session) -> None:
    """A body that is not read to its end is counted only as far as it was sent."""
    gist = github.add_user("octocat").add_gist({"big": Repeated(b"x", 100_000_000)})
    url = github.raw_url + gist.raw_path(gist.files["big"])
    with http.get(url, headers=ONCE, timeout=10, stream=True) as response:
        response.raw.read(1000)
    github.wait_quiet()
    record = github.requests[0]
    assert record.aborted
    assert 1000 < record.sent_bytes < 50_000_000
    assert github.traffic["raw"].sent_bytes == record.sent_bytes


def test_refused_and_reset_connections(
    github: FakeGithub, http: requests.Session, url: str
) -> None:
    """A port refuses connections, resets the next ones, and then serves again."""
    http.get(url, timeout=10)
    with github.refusing("raw"), pytest.raises(requests.ConnectionError, match="refused"):
        http.get(url, timeout=10)
    github.reset_connections("raw", 1)
    with pytest.raises(requests.ConnectionError):
        http.get(url, timeout=10)
    assert http.get(url, timeout=10).text == TEXT
