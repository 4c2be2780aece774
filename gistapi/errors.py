"""The errors of gistapi, in the domain's words.

GistapiError
├── SettingsError                 the environment has no valid configuration
├── KeyFileError                  the file of the callers' keys cannot be read or written
├── QueryError                    the query is not valid
│   ├── InvalidPatternError       not a regular expression, or too costly a one
│   ├── InvalidGlobError          not a glob, or too large a list of them
│   └── InvalidCursorError        not a cursor of this query
├── GithubError                   GitHub failed before anything was searched
│   ├── UserNotFoundError         GitHub knows no such user
│   ├── GithubRateLimitedError    GitHub asks for a longer wait than the search has time for
│   └── GithubTimeoutError        no answer within the deadline
├── IncompleteError               one file or gist cannot be searched; the search continues
│   └── PatternTimeoutError       the pattern took too long on one file
├── RawRefusedError               the raw host refuses a file that git may have
├── GoneError                     a gist or file was deleted since it was listed
├── CacheMissError                a content of the cache is damaged or was evicted
├── DeadlineError                 the search's time is used up
├── CancelledError                the result of this work is not needed any more
├── ByteQuotaError                the caller's quota of bytes from GitHub is used up
├── RefusedError                  the caller may not search, or not now
│   ├── UnauthorizedError         a key is required and none or a wrong one was sent
│   ├── ForbiddenError            the caller's address is not allowed
│   ├── CaptchaRequiredError      callers without a key must solve the captcha
│   └── RateLimitedError          the caller's rate limit is exceeded
└── OverloadedError               too many searches at once, or a service that is stopping

HTTP statuses are in `web.error_table`, the only module that maps errors to answers.
"""


class GistapiError(Exception):
    """The root of every error that gistapi raises on purpose."""


class SettingsError(GistapiError):
    """The environment has no valid configuration; the message lists every fault."""


class KeyFileError(GistapiError):
    """The file of the callers' keys cannot be read or written; the message says why."""


class QueryError(GistapiError):
    """The query is not valid."""


class InvalidPatternError(QueryError):
    """The pattern is not a regular expression, or one that would cost too much.

    `reason` is Python's wording, `position` the 0-based offset in the pattern as it was sent.
    """

    def __init__(self, reason: str, position: int | None = None) -> None:
        super().__init__(reason if position is None else f"{reason} at position {position}")
        self.reason = reason
        self.position = position


class InvalidGlobError(QueryError, ValueError):
    """A glob of file names is malformed, or the globs are too large."""


class InvalidCursorError(QueryError):
    """The cursor is damaged or belongs to another query."""


class GithubError(GistapiError):
    """GitHub failed before anything was searched; the message is GitHub's own."""


class UserNotFoundError(GithubError):
    """GitHub knows no user of that name (404)."""


class GithubRateLimitedError(GithubError):
    """GitHub asks for a wait that is longer than the search has time for."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class GithubTimeoutError(GithubError):
    """GitHub did not answer within the deadline."""


class IncompleteError(GistapiError):
    """One file, or one gist, cannot be searched; `reason` is one of the contract's codes."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PatternTimeoutError(IncompleteError):
    """The pattern took too long on one file, or was given up for this search."""

    def __init__(self, message: str) -> None:
        super().__init__("pattern_timeout", message)


class RawRefusedError(GistapiError):
    """The raw host refuses a file ("too big"); git may have it."""


class GoneError(GistapiError):
    """A gist or file has been deleted since it was listed."""


class CacheMissError(GistapiError):
    """A content of the cache is damaged, or part of it was evicted while it was read."""


class DeadlineError(GistapiError):
    """The search's time is used up."""


class CancelledError(GistapiError):
    """The result of this work is not needed any more."""


class ByteQuotaError(GistapiError):
    """The caller's quota of bytes from GitHub is used up."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RefusedError(GistapiError):
    """The caller may not search, or not now."""


class UnauthorizedError(RefusedError):
    """A key is required, and none or a wrong one was sent."""


class ForbiddenError(RefusedError):
    """The caller's address is not allowed."""


class CaptchaRequiredError(RefusedError):
    """Callers without a key must solve the captcha."""


class RateLimitedError(RefusedError):
    """The caller's rate limit is exceeded, for now or for good."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class OverloadedError(GistapiError):
    """Too many searches at once, or a service that is stopping."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
