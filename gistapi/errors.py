"""Everything that can go wrong, in the words of the domain.

GistapiError
├── SettingsError                 the environment names no valid configuration
├── KeyFileError                  the file of the callers' keys can't be read or written
├── QueryError                    the caller's words make no sense
│   ├── InvalidPatternError       not a regular expression, or too costly a one
│   ├── InvalidGlobError          not a glob, or too large a list of them
│   └── InvalidCursorError        not a cursor of this query
├── GithubError                   GitHub failed before anything could be searched
│   ├── UserNotFoundError         GitHub knows no such user
│   ├── GithubRateLimitedError    GitHub wants us to wait
│   └── GithubTimeoutError        no answer within the deadline
├── IncompleteError                      one file or gist can't be searched; the search goes on
│   └── PatternTimeoutError       the pattern took too long on one file
├── RawRefusedError               the raw host won't send a file that git would
├── GoneError                     a gist or file was deleted since it was listed: no gap
├── DeadlineError                 the time for this search is used up
├── CancelledError                nobody waits for this work any more
├── ByteQuotaError                the caller's share of bytes from GitHub is used up
├── RefusedError                  this caller may not ask, or not now
│   ├── UnauthorizedError         a key is required, and none or a wrong one came
│   ├── ForbiddenError            not from this address
│   ├── CaptchaRequiredError      a person without a key has to solve the captcha
│   └── RateLimitedError          more requests than this caller may make
└── OverloadedError               too many searches at once, or a service that is stopping

No HTTP status stands here: `web.problems` alone knows which error answers with which.
"""


class GistapiError(Exception):
    """The root of every error that gistapi raises on purpose."""


class SettingsError(GistapiError):
    """The environment names no valid configuration; the message lists every fault."""


class KeyFileError(GistapiError):
    """The file of the callers' keys can't be read or written; the message says why."""


class QueryError(GistapiError):
    """What the caller asked makes no sense."""


class InvalidPatternError(QueryError):
    """The pattern is not a regular expression, or one that would cost too much.

    `reason` are Python's own words, `position` the 0-based offset in the pattern as it was sent.
    """

    def __init__(self, reason: str, position: int | None = None) -> None:
        super().__init__(reason if position is None else f"{reason} at position {position}")
        self.reason = reason
        self.position = position


class InvalidGlobError(QueryError, ValueError):
    """A glob of file names is malformed, or the globs are too large."""


class InvalidCursorError(QueryError):
    """The cursor is damaged, or was given out for another query."""


class GithubError(GistapiError):
    """GitHub failed before anything could be searched; the message has GitHub's own words."""


class UserNotFoundError(GithubError):
    """GitHub knows no user of that name (404)."""


class GithubRateLimitedError(GithubError):
    """GitHub wants us to wait longer than this search can."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class GithubTimeoutError(GithubError):
    """GitHub did not answer within the deadline."""


class IncompleteError(GistapiError):
    """One file, or one gist, can't be searched; `reason` is one of the contract's codes."""

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
    """The time for this search is used up."""


class CancelledError(GistapiError):
    """Nobody waits for this work any more."""


class ByteQuotaError(GistapiError):
    """The caller's share of bytes from GitHub is used up."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RefusedError(GistapiError):
    """This caller may not ask, or not now."""


class UnauthorizedError(RefusedError):
    """A key is required, and none or a wrong one came."""


class ForbiddenError(RefusedError):
    """The caller's address is not allowed."""


class CaptchaRequiredError(RefusedError):
    """A person without a key has to solve the captcha first."""


class RateLimitedError(RefusedError):
    """The caller has made as many requests as he may, for now or for good."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class OverloadedError(GistapiError):
    """Too many searches at once, or a service that is stopping."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
