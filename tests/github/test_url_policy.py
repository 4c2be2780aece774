"""The URLs to which requests may be sent."""

from __future__ import annotations

import pytest

from gistapi.errors import IncompleteError
from gistapi.github.url_policy import Kind, UrlPolicy, origin_of, redirected

GITHUB = UrlPolicy(
    "https://api.github.com", ("gist.githubusercontent.com", "git.example:8443", "[2001:db8::1]")
)
LOCAL = UrlPolicy("http://127.0.0.1:8001/v3", ("127.0.0.1:8002", "Raw.Example", "fake_github:80"))


@pytest.mark.parametrize(
    ("addresses", "kind", "url", "origin"),
    [
        (GITHUB, "list", "https://api.github.com/user/2/gists?page=2", "https://api.github.com"),
        (GITHUB, "list", "HTTPS://API.GitHub.com:443/users/x", "https://api.github.com"),
        (GITHUB, "raw", "https://gist.githubusercontent.com", "https://gist.githubusercontent.com"),
        (GITHUB, "raw", "https://GIST.githubusercontent.com:443/a@b:c", None),
        (GITHUB, "git", "https://git.example:8443/1.git", "https://git.example:8443"),
        (GITHUB, "raw", "https://[2001:DB8::1]:443/a", "https://[2001:db8::1]"),
        (LOCAL, "list", "http://127.0.0.1:8001/users/x", "http://127.0.0.1:8001"),
        (LOCAL, "raw", "http://127.0.0.1:8002?a", "http://127.0.0.1:8002"),
        (LOCAL, "raw", "http://raw.example:80/a", "http://raw.example"),
        (LOCAL, "raw", "https://raw.example/a", "https://raw.example"),
        (LOCAL, "raw", "http://fake_github/a", "http://fake_github"),
    ],
)
def test_githubs_addresses_are_allowed(
    addresses: UrlPolicy, kind: Kind, url: str, origin: str | None
) -> None:
    """Hosts are compared with their ports, ignoring case, and reported in lower case."""
    expected = origin or "https://gist.githubusercontent.com"
    assert addresses.allowed(url, kind).url == expected


@pytest.mark.parametrize(
    ("addresses", "kind", "url"),
    [
        (GITHUB, "list", "https://gist.githubusercontent.com/a"),  # a content host has no listings
        (GITHUB, "raw", "https://api.github.com/a"),  # the API has no contents
        (GITHUB, "list", "http://api.github.com/users/x"),
        (GITHUB, "raw", "http://gist.githubusercontent.com/a"),
        (GITHUB, "raw", "https://gist.githubusercontent.com:8443/a"),
        (GITHUB, "raw", "https://gist.githubusercontent.com:0443/a"),
        (GITHUB, "raw", "https://gist.githubusercontent.com./a"),
        (GITHUB, "raw", "https://evil.example/gist.githubusercontent.com"),
        (GITHUB, "raw", "https://gist.githubusercontent.com.evil.example/a"),
        (GITHUB, "raw", "https://git.example/1.git"),
        (GITHUB, "raw", "https://git.example:443/1.git"),
        (GITHUB, "raw", "https://[2001:db8::2]/a"),
        (LOCAL, "raw", "http://127.0.0.1/a"),
        (LOCAL, "raw", "http://127.1:8002/a"),
        (LOCAL, "raw", "http://127.0.0.1:8001/a"),
        (LOCAL, "raw", "https://fake_github/a"),  # its port 80 was named
    ],
)
def test_another_host_is_not_allowed(addresses: UrlPolicy, kind: Kind, url: str) -> None:
    """The error for another host, port or scheme is a gap with a reason of its own."""
    with pytest.raises(IncompleteError, match="not allowed") as raised:
        addresses.allowed(url, kind)
    assert raised.value.reason == "host_not_allowed"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "gist.githubusercontent.com/a",
        "//gist.githubusercontent.com/a",
        "https:gist.githubusercontent.com/a",
        "https:/gist.githubusercontent.com/a",
        "https:///gist.githubusercontent.com/a",
        "ftp://gist.githubusercontent.com/a",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://user@gist.githubusercontent.com/a",
        "https://gist.githubusercontent.com@evil.example/a",
        "https://gist.githubusercontent.com:443@evil.example/a",
        "https://gist.githubusercontent.com\\@evil.example/a",
        "https://evil.example\\.gist.githubusercontent.com/a",
        "https://gist.githubusercontent.com#@evil.example/a",
        "https://gist.githubusercontent.com:/a",
        "https://gist.githubusercontent.com:443443/a",
        "https://gist.githubusercontent.com:65536/a",
        "https://gist.githubusercontent.com:0/a",
        "https://[:::]/a",
        "https://gist.githubusercontent.com:٤٤٣/a",
        "https://gist.githubusercontent.com/a b",
        "https://gist.githubusercontent.com/a\r\nHost: evil.example",
        "https://gist.githubusercontent.com/a\n",
        " https://gist.githubusercontent.com/a",
        "https://gist.githubusercontent.com/\ud800",
        "https://gist.githubusercontent.com/\x00",
        "https://g\u0131st.githubusercontent.com/a",
        "https://gist\uff0egithubusercontent.com/a",
        "https://[2001:db8::1/a",
        "https://[fe80::1%25eth0]/a",
    ],
)
def test_an_ambiguous_address_is_not_allowed(url: str) -> None:
    """If two URL parsers could read it differently, no request is sent."""
    assert origin_of(url) is None
    with pytest.raises(IncompleteError, match="not an HTTP URL") as raised:
        GITHUB.allowed(url, "raw")
    assert raised.value.reason == "host_not_allowed"


def test_the_apis_address_must_be_valid() -> None:
    """An invalid one is refused when the policy is built."""
    with pytest.raises(ValueError, match="not a plain HTTP URL"):
        UrlPolicy("api.github.com", ())


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("https://a.example/x/y", "/z", "https://a.example/z"),
        ("https://a.example/x/y", "z?q", "https://a.example/x/z?q"),
        ("https://a.example/x", "//b.example/z", "https://b.example/z"),
        ("https://a.example/x", "HTTPS://b.example/z", "https://b.example/z"),
        ("http://a.example/x", "https://b.example/z", "https://b.example/z"),
        ("http://a.example/x", "http://b.example/z", "http://b.example/z"),
        ("http://a.example/x", "//[", "//["),
    ],
)
def test_a_redirect_is_resolved(url: str, location: str, target: str) -> None:
    """`Location` is relative to the request; an invalid one is left to the check of the host."""
    assert redirected(url, location) == target


@pytest.mark.parametrize("location", ["http://a.example/z", "ftp://a.example", "//["])
def test_a_redirect_from_https_leads_to_https(location: str) -> None:
    """Any other scheme is refused, in upper or lower case."""
    with pytest.raises(IncompleteError, match="https to http"):
        redirected("HTTPS://a.example/x", location)
