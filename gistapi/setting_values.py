"""Reading values from outside: lists, hosts, networks, origins and URLs.

The check of a setting and the code that uses it read a value by the same function, so that what
passes the check cannot fail later. Each returns the value, or raises ValueError with a message
in plain words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

_IPV4_MAPPED = IPv6Network("::ffff:0:0/96")
URL = re.compile(
    r"(https?)://([a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
    r"(?:[/?][^\\\s\x00-\x1f\x7f\ud800-\udfff]*)?",
    re.IGNORECASE | re.ASCII,
)
"""No user part, no backslash, no space: nothing that two URL parsers could read differently."""
DEFAULT_PORTS = {"http": "80", "https": "443"}
REDIS = ("redis://", "rediss://", "unix://")
SQLITE = "sqlite:///"
"""How URLs of caches begin. `sqlite:///a` has a relative path, `sqlite:////a` an absolute one."""
MAX_PORT = 65535
MAX_FILE_BYTES = 2**20
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"  # 63 characters at most: RFC 1035
_NAME = rf"{_LABEL}(?:\.{_LABEL})*\.?"


def listed(value: object) -> object:
    """Split a list at its commas, in lower case; an empty one is refused."""
    if not isinstance(value, str):
        return value
    words = tuple(word.strip().lower() for word in value.split(",") if word.strip())
    if not words:
        raise ValueError("is a list without entries; leave the variable out instead")
    return words


@dataclass(frozen=True)
class Origin:
    """Where a URL leads (RFC 6454), in lower case; an IPv6 host is in brackets."""

    scheme: str
    host: str
    port: str

    @cached_property
    def netloc(self) -> str:
        """The host, with its port where that is not the scheme's own."""
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    @cached_property
    def url(self) -> str:
        """The origin as a URL without a path."""
        return f"{self.scheme}://{self.netloc}"


def origin_of(url: str) -> Origin | None:
    """Where a plain HTTP URL leads; None for anything else."""
    found = URL.fullmatch(url)
    return None if found is None else _origin(found[1], found[2], found[3])


@lru_cache(maxsize=64)  # thousands of addresses have the same
def _origin(scheme: str, host: str, port: str | None) -> Origin | None:
    scheme, host = scheme.lower(), host.lower()
    port = port or DEFAULT_PORTS[scheme]
    if not 1 <= int(port) <= MAX_PORT or (host[0] == "[" and not _is_ipv6(host[1:-1])):
        return None
    return Origin(scheme, host, port)


def _is_ipv6(value: str) -> bool:
    try:
        IPv6Address(value)
    except ValueError:
        return False
    return True


def api_url(value: str) -> str:
    """The API's URL, without a trailing slash."""
    if origin_of(value) is None:
        raise ValueError("should be a URL that begins with https:// or http://")
    if "?" in value or "#" in value:
        raise ValueError("should have no user, query or fragment")
    return value.rstrip("/")


def sqlite_path(url: str) -> Path | None:
    """The path in the URL of an SQLite cache; None if it is another URL, or not one of a file."""
    path = Path(url.removeprefix(SQLITE))
    names_file = path.name not in {"", ":memory:"} and "\0" not in url
    return path if url.startswith(SQLITE) and names_file else None


def listen_host(value: str) -> str:
    """A host name or an IP address to listen at."""
    try:
        ip_address(value)
    except ValueError:
        if not re.fullmatch(_NAME, value):
            raise ValueError("should be a host name or an IP address") from None
    return value


def is_loopback(value: str) -> bool:
    """Whether only this machine can reach a service that listens at this host."""
    try:
        return ip_address(value).is_loopback
    except ValueError:
        return value.lower() == "localhost"


def any_host(names: tuple[str, ...]) -> tuple[str, ...]:
    """Host names; none means any host, as `*` does."""
    return () if "*" in names else names


def host_name(value: str) -> str:
    """A name that requests may use for a service, without port and brackets; `*` is any."""
    name = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if value != "*" and not _is_ipv6(name) and not re.fullmatch(_NAME, value):
        raise ValueError(f"{value!r} is not a host without a port, nor *")
    return name


def host(value: str) -> str:
    """A host, or host:port."""
    if "/" in value or "?" in value or origin_of(f"https://{value}") is None:
        raise ValueError(f"{value!r} is not a host or host:port")
    return value


def network(value: str) -> str:
    """An address, or a network in CIDR notation."""
    try:
        found = ip_network(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is not an address or a network: {error}") from None
    if isinstance(found, IPv6Network) and found.subnet_of(_IPV4_MAPPED):
        raise ValueError(f"{value!r} has to be written as an IPv4 address or network")
    return str(found)


def origin(value: str) -> str:
    """The origin of a page: scheme, host and port, no wildcard."""
    rest = value.partition("://")[2]
    if origin_of(value) is None or "/" in rest or "?" in rest:
        raise ValueError(f"{value!r} is not an origin such as https://example.com")
    return value


def content_of(path: Path) -> str:
    """The text of a file with a secret, without white space around it."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"{path} is larger than 1 MiB")
    try:
        secret = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    if not secret:  # otherwise what it protects would silently be off
        raise ValueError(f"{path} is empty")
    return secret


def shown(value: object) -> str:
    """Return a value as text, without the credentials in a URL."""
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, str) and "://" in value:
        # redis-py reads a user and a password from the query too.
        return re.sub(r"//.*@", "//**********@", value.partition("?")[0])
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)


def lowered(value: object) -> object:
    """A text in lower case; anything else as it is."""
    return value.lower() if isinstance(value, str) else value
