"""Maps errors of aiohttp, TLS and the operating system to ours.

The message of our error names the cause in plain words, for the caller. The library's own message
is for the operator's log only; `cause_of` returns it without credentials.
"""

from __future__ import annotations

import errno
import re
import ssl
import zlib
from dataclasses import dataclass

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from gistapi.errors import GithubError

CREDENTIALS = re.compile(r"//[^/\s@]*@")
MAX_CAUSE = 300
PROXY_AUTHENTICATION_REQUIRED = 407


class TransientError(GithubError):
    """A failure of GitHub after which another attempt may succeed.

    `status` is that of GitHub's answer, None without an answer; `retry_after_seconds` is the wait
    that the answer asked for.
    """

    def __init__(
        self, message: str, status: int | None = None, retry_after_seconds: float = 0.0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class SilenceError(TransientError):
    """No byte arrived within the timeout."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """Maps errors of `classes`, or with one of `errnos`, to an error of class `kind`."""

    words: str
    classes: tuple[type[Exception], ...]
    errnos: tuple[int, ...] = ()
    kind: type[GithubError] = TransientError

    def applies(self, error: object) -> bool:
        return isinstance(error, self.classes) or getattr(error, "errno", None) in self.errnos


RULES = (
    _Rule(
        "GitHub cannot be reached: the address is not a valid URL.",
        (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, UnicodeError),
        kind=GithubError,
    ),
    _Rule(
        "GitHub cannot be reached: its TLS certificate is not trusted (REQUESTS_CA_BUNDLE).",
        (ssl.SSLCertVerificationError, aiohttp.ServerFingerprintMismatch),
        kind=GithubError,
    ),
    _Rule(
        "GitHub could not be reached: no connection within the timeout.",
        (aiohttp.ConnectionTimeoutError,),
        kind=SilenceError,
    ),
    _Rule("GitHub sent nothing within the timeout.", (TimeoutError,), kind=SilenceError),
    _Rule(
        "GitHub could not be reached: its host name could not be resolved (DNS).",
        (aiohttp.ClientConnectorDNSError,),
    ),
    _Rule(
        "GitHub could not be reached: the proxy does not answer.",
        (aiohttp.ClientProxyConnectionError,),
    ),
    _Rule(
        "GitHub could not be reached: the connection was refused.",
        (ConnectionRefusedError,),
        (errno.ECONNREFUSED,),
    ),
    _Rule(
        "GitHub closed the connection before it answered.",
        (aiohttp.ServerDisconnectedError, ConnectionResetError, BrokenPipeError),
        (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED),
    ),
    _Rule("GitHub could not be reached: TLS failed.", (ssl.SSLError,)),
    _Rule("GitHub's answer ended before it was complete.", (aiohttp.ClientPayloadError,)),
    _Rule("GitHub's answer is damaged: it could not be decompressed.", (zlib.error,)),
    _Rule(
        "GitHub's answer could not be understood: it is not HTTP.",
        (aiohttp.ClientResponseError, HttpProcessingError),
    ),
    _Rule(
        "GitHub could not be reached: no connection could be made.",
        (aiohttp.ClientConnectorError,),
    ),
    _Rule("GitHub could not be reached: the connection failed.", (aiohttp.ClientError, OSError)),
)
"""The first rule that applies is used. Errors that a retry would repeat are not transient."""


def map_error(error: Exception) -> GithubError | None:
    """Return our error for one of a library's; None for any other, which is a bug."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        words = f"GitHub could not be reached: the proxy answered {error.status}."
        is_final = error.status == PROXY_AUTHENTICATION_REQUIRED
        return GithubError(words) if is_final else TransientError(words)
    wrapped = (getattr(error, "os_error", None), getattr(error, "certificate_error", None))
    for rule in RULES:
        if any(rule.applies(one) for one in (error, *wrapped)):
            return rule.kind(rule.words)
    return None


class mapped_errors:  # noqa: N801 - a context manager, as contextlib's
    """Context manager that raises a library's error as ours, and leaves all others unchanged."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and (ours := map_error(error)) is not None:
            raise ours from error


def cause_of(error: BaseException) -> str:
    """Return a short line for the operator's log: a library's error if there is one, else ours."""
    cause = error.__cause__ or error
    words = " ".join(f"{type(cause).__name__}: {cause}".split())
    return CREDENTIALS.sub("//***@", words)[:MAX_CAUSE]
