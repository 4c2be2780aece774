"""Access by address, and the client's address behind proxies."""

from __future__ import annotations

import http.client

import pytest

from gistapi.web import ClientAddresses, Guard, create_web
from gistapi.web.protection.client_ip import address_of
from tests.fake_github import FakeGithub
from tests.serving import Serving, serving
from tests.web.searches import SEARCH, Searches

QUERY = {"username": "octocat", "pattern": "x"}


def status(addresses: ClientAddresses, peer: str, forwarded: str | None = None) -> int:
    """The status of a search from this peer."""
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    client = create_web(Searches(), guard=Guard(addresses=addresses)).test_client()
    environ = {"REMOTE_ADDR": peer}
    return client.post(SEARCH, json=QUERY, headers=headers, environ_base=environ).status_code


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1:8080 ", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("192.0.2", None),
        ("192.0.2.01", None),
        ("192.0.2.1:", None),
        ("192.0.2.1 evil", None),
        ("[192.0.2.1", None),
        ("2001:db8::1:443:1:1:1:1:1:1", None),
        ("\u0661\u0669\u0662.0.2.1", None),
        ("3221225985", None),
        ("0x7f.1", None),
    ],
)
def test_an_address_is_read_in_every_form_of_proxies(text: str, address: str | None) -> None:
    """It may have a port or brackets, or be mapped; anything else is no address."""
    found = address_of(text)
    assert (None if found is None else str(found)) == address


@pytest.mark.parametrize(
    ("allowed", "denied", "peer", "expected"),
    [
        ((), (), "192.0.2.1", 200),
        (("192.0.2.0/24",), (), "192.0.2.1", 200),
        (("192.0.2.0/24",), (), "::ffff:192.0.2.1", 200),
        (("192.0.2.0/24",), (), "192.0.3.1", 403),
        (("192.0.2.0/24",), (), "2001:db8::1", 403),
        (("192.0.2.0/24",), ("192.0.2.7",), "192.0.2.7", 403),
        (("192.0.2.7",), ("192.0.2.0/24",), "192.0.2.7", 403),
        ((), ("192.0.2.7",), "192.0.2.7", 403),
        ((), ("192.0.2.7",), "::ffff:192.0.2.7", 403),
        ((), ("192.0.2.7",), "192.0.2.8", 200),
        ((), ("2001:db8::/32",), "2001:DB8:1::1", 403),
        ((), ("::/0",), "192.0.2.1", 200),
        (("192.0.2.0/24",), (), "", 403),
        ((), ("192.0.2.0/24",), "", 200),
    ],
)
def test_lists_of_addresses_allow_and_deny(
    allowed: tuple[str, ...], denied: tuple[str, ...], peer: str, expected: int
) -> None:
    """Denial takes precedence; a list of allowed addresses refuses all others and unknown ones."""
    assert status(ClientAddresses(allowed, denied), peer) == expected


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "192.0.2.1", 403),  # no proxy is trusted: the peer counts, which is not allowed
        (1, "192.0.2.1", 200),
        (1, "192.0.2.1:5000", 200),
        (1, "192.0.2.1, 198.51.100.1", 403),  # the caller made up the first
        (1, "198.51.100.1, 192.0.2.1", 200),
        (2, "192.0.2.1, 198.51.100.1", 200),
        (2, "192.0.2.1, 198.51.100.1, 198.51.100.2", 403),
        (2, "192.0.2.1", 403),  # fewer hops than proxies: the client is unknown
        (1, None, 403),
        (1, "", 403),
        (1, "localhost", 403),
        (1, "192.0.2.1,", 403),
        (1, "192.0.2.1;", 403),
    ],
)
def test_only_trusted_hops_count(proxies: int, forwarded: str | None, expected: int) -> None:
    """They are counted from the right; anything that is no address is refused."""
    addresses = ClientAddresses(("192.0.2.0/24",), (), proxies)
    assert status(addresses, "198.51.100.9", forwarded) == expected


def test_too_few_hops_are_an_unknown_client() -> None:
    """A list that allows the inner network does not admit callers who bypass the outer proxy."""
    assert status(ClientAddresses(("10.0.0.0/8",), (), 2), "10.0.0.5", "203.0.113.1") == 403


def ask(service: Serving, source: str, method: str, path: str, **headers: str) -> int:
    """The status of a request from this loopback address."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", service.port, timeout=10, source_address=(source, 0)
    )
    body = b'{"username": "octocat", "pattern": "x"}' if method == "POST" else None
    sent = {"Content-Type": "application/json"} if body else {}
    connection.request(method, path, body, sent | headers)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_denied_address_may_use_the_probes_only(github: FakeGithub) -> None:
    """Over a real connection, search, pages and unknown paths are forbidden."""
    github.add_user("octocat")
    with serving(github, denied_addresses="127.0.0.2, 127.0.1.0/24") as service:
        for source, expected in (("127.0.0.2", 403), ("127.0.1.9", 403), ("127.0.0.3", 200)):
            assert ask(service, source, "POST", SEARCH) == expected
            for path in ("/", "/docs", "/openapi.json", "/static/app.js"):
                assert ask(service, source, "GET", path) == expected
            for path in ("/ping", "/livez", "/readyz", "/metrics"):
                assert ask(service, source, "GET", path) == 200
            assert ask(service, source, "GET", "/nowhere") == (403 if expected == 403 else 404)
        spoofed = {"X-Forwarded-For": "127.0.0.3", "Forwarded": "for=127.0.0.3"}
        assert ask(service, "127.0.0.2", "POST", SEARCH, **spoofed) == 403
        spoofed = {"X-Forwarded-For": "127.0.0.2", "X-Real-IP": "127.0.0.2"}
        assert ask(service, "127.0.0.3", "POST", SEARCH, **spoofed) == 200


def test_behind_a_proxy_the_lists_apply_to_its_clients(github: FakeGithub) -> None:
    """Several lines of the header are one list."""
    github.add_user("octocat")
    with serving(github, allowed_addresses="203.0.113.0/24", trusted_proxies=1) as service:
        for forwarded, expected in (
            ("203.0.113.7", 200),
            ("198.51.100.1", 403),
            ("203.0.113.7, 198.51.100.1", 403),
            ("203.0.113.7\r\nX-Forwarded-For: 198.51.100.1", 403),
            ("198.51.100.1\r\nX-Forwarded-For: 203.0.113.7", 200),
        ):
            head = (
                f"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                f"X-Forwarded-For: {forwarded}\r\n\r\n"
            )
            with service.connect(head.encode()) as connection:
                assert int(connection.recv(65536).split()[1]) == expected
        assert ask(service, "127.0.0.1", "GET", "/") == 403
        assert ask(service, "127.0.0.1", "GET", "/ping") == 200
