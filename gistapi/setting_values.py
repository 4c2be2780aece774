"""The one reader of each kind of value: returns it, or raises ValueError with words for people.

What passes here cannot fail later because somebody else reads it differently.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

MIN_KEY_CHARACTERS = 32
MAX_FILE_BYTES = 2**20

# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
SERVICE_LINKS_HINT = (
    "comes from a Kubernetes Service named gistapi; set `enableServiceLinks: false` in the pod"
)
_REDIS = ("redis://", "rediss://", "unix://")
_SQLITE = "sqlite:///"
_IPV4_MAPPED = IPv6Network("::ffff:0:0/96")
_MAX_PORT = 65535
_PLAIN_URL = re.compile(
    r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
    r"(?:[/?][^\\\s\x00-\x1f\x7f\ud800-\udfff]*)?",
    re.IGNORECASE | re.ASCII,
)
"""No user part, no backslash, no space: nothing that two readers of URLs understand differently."""
DEFAULT_PORTS = {"http": "80", "https": "443"}
_NAME = (
    r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)
_HOST = re.compile(rf"({_NAME})|\[(?P<ipv6>[0-9A-Fa-f:.]+)\]")
_URL = re.compile(
    r"https?://(?P<host>[^/:?#@\[\]]+|\[[^/?#@\[\]]+\])(:(?P<port>[^/?#@]*))?(/[!-~]*)?"
)


class Origin(NamedTuple):
    """Where a URL leads (RFC 6454), in lower case; an IPv6 host stands in brackets."""

    scheme: str
    host: str
    port: str

    @property
    def netloc(self) -> str:
        """The host, with its port where that is not the scheme's own."""
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


def origin_of(url: str) -> Origin | None:
    """Where a plain HTTP URL leads; None for anything else."""
    found = _PLAIN_URL.fullmatch(url)
    if found is None:
        return None
    scheme = found[1].lower()
    host, port = found[2].lower(), found[3] or DEFAULT_PORTS[scheme]
    if not 1 <= int(port) <= _MAX_PORT or (host[0] == "[" and not _is_ipv6(host[1:-1])):
        return None
    return Origin(scheme, host, port)


def _is_ipv6(value: str) -> bool:
    try:
        IPv6Address(value)
    except ValueError:
        return False
    return True


def listed(value: object) -> object:
    """Split a list at its commas, in lower case; an empty one is refused, for it says nothing."""
    if not isinstance(value, str):
        return value
    words = tuple(word.strip().lower() for word in value.split(",") if word.strip())
    if not words:
        raise ValueError("is a list without entries; leave the variable out instead")
    return words


def host(value: str) -> str:
    """A host name or an IP address to listen at."""
    try:
        ip_address(value)
    except ValueError:
        if not re.fullmatch(_NAME, value):
            raise ValueError("should be a host name or an IP address") from None
    return value


def host_and_port(value: str) -> str:
    """A host, or host:port; IPv6 in brackets."""
    name, port = re.fullmatch(r"(.*?)(?::([^:\]]*))?", value, re.DOTALL).groups()  # type: ignore[union-attr]
    if not _is_host(name) or not _is_port(port):
        raise ValueError(f"{value!r} is not a host or host:port")
    return value


def host_name(value: str) -> str:
    """A name this service answers to, without a port; `*` is any."""
    if value != "*" and not _is_host(value):
        raise ValueError(f"{value!r} is not a host without a port, nor *")
    return value


def port(value: object) -> object:
    """A port, or the hint where Kubernetes has set the variable."""
    if isinstance(value, str) and value.startswith("tcp://"):
        raise ValueError(SERVICE_LINKS_HINT)
    return value


def http_url(value: str) -> str:
    """The base of an HTTP API: scheme, host, perhaps a port and a path."""
    parts = _URL.fullmatch(value)
    if parts is None or re.search(r"[?#@]", value):
        raise ValueError(
            "should be a URL that begins with https:// or http://, without a user, query, fragment"
            " or white space"
        )
    if not _is_host(parts["host"]):
        raise ValueError("has no valid host")
    if not _is_port(parts["port"]):
        raise ValueError(f"has no valid port; it should be 1 to {_MAX_PORT}")
    if origin_of(value) is None:
        raise ValueError("is not a URL that can be asked")
    return value.rstrip("/")


def cache_url(value: str) -> str:
    """`memory:`, `off`, a path for SQLite, or an address that redis-py itself can read."""
    if value in {"memory:", "off"}:
        return value
    if value.startswith(_REDIS):
        return _redis_url(value)
    path = Path(value.removeprefix(_SQLITE))
    if not value.startswith(_SQLITE) or "\0" in value or path.name in {"", ":memory:"}:
        known = ", ".join((f"{_SQLITE}PATH", *_REDIS))
        raise ValueError(f"should be `memory:`, `off`, or one of {known}")
    return value


def _redis_url(value: str) -> str:
    from redis.connection import ConnectionPool  # noqa: PLC0415 - slow to load

    try:
        pool: ConnectionPool = ConnectionPool.from_url(value)
        options = pool.connection_kwargs
        pool.connection_class(**options)  # reads the options; connects later
    except Exception:  # noqa: BLE001  redis-py raises what its options' own readers raise
        raise ValueError("is no address that redis-py can read") from None
    if value.startswith("unix:") and not options.get("path"):
        raise ValueError("names no socket")
    if "port" in options and not _is_port(str(options["port"])):
        raise ValueError(f"has no valid port; it should be 1 to {_MAX_PORT}")
    return value


def rate(value: str) -> str:
    """A rate in the language of `limits`."""
    from limits import parse_many  # noqa: PLC0415 - slow to load, and few set a rate

    try:
        parsed = parse_many(value)
    except ValueError:
        parsed = []
    if len(parsed) != 1 or parsed[0].amount < 1:
        raise ValueError("should be as 30/minute, 500/hour or 100/2 hours")
    return value


def network(value: str) -> str:
    """An address, or a network in CIDR notation."""
    try:
        found = ip_network(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no address or network: {error}") from None
    if isinstance(found, IPv6Network) and found.subnet_of(_IPV4_MAPPED):
        raise ValueError(f"{value!r} has to be written as an IPv4 address or network")
    return str(found)


def origin(value: str) -> str:
    """The origin of a page: scheme, host and port, no wildcard."""
    parts = _URL.fullmatch(value)
    if parts is None or "/" in value.partition("://")[2] or not _is_host(parts["host"]):
        raise ValueError(f"{value!r} is not an origin such as https://example.com")
    if not _is_port(parts["port"]):
        raise ValueError(f"{value!r} has no valid port")
    return value


def one_word(value: SecretStr | None) -> SecretStr | None:
    """A secret that can stand in a header."""
    if value is not None and not re.fullmatch(r"[!-~]+", value.get_secret_value()):
        raise ValueError("should be one word of ASCII characters")
    return value


def long_enough(value: SecretStr | None) -> SecretStr | None:
    """A secret that cannot be guessed."""
    if value is not None and len(value.get_secret_value()) < MIN_KEY_CHARACTERS:
        raise ValueError(f"should have at least {MIN_KEY_CHARACTERS} characters")
    return value


def content_of(path: Path) -> str:
    """The text of a file that holds a secret, white space around it removed."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"{path} is larger than 1 MiB")
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text; save it as UTF-8") from None


def _is_host(value: str) -> bool:
    found = _HOST.fullmatch(value)
    if found is None:
        return False
    try:
        ip_address(found["ipv6"] or "::")
    except ValueError:
        return False
    return True


def _is_port(value: str | None) -> bool:
    return value is None or bool(
        re.fullmatch(r"[0-9]{1,5}", value) and 1 <= int(value) <= _MAX_PORT
    )
