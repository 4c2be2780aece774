"""Reasons why a search stops before its end, and which of several errors is reported."""

from __future__ import annotations

from dataclasses import dataclass

from gistapi.errors import (
    ByteQuotaError,
    GistapiError,
    GithubRateLimitedError,
    GithubTimeoutError,
    RateLimitedError,
)

GO_ON = "Continue with the cursor in `next`."


@dataclass(eq=False)
class Stop(Exception):  # noqa: N818 - it is no error
    """Ends a search early, for one of the contract's reasons.

    `error` is raised if the search has found nothing. With `lets_work_end`, the search waits for
    files that are being read. `blames` is the message for a gist that used up a search alone.
    """

    reason: str
    message: str
    error: GistapiError | None = None
    lets_work_end: bool = False
    blames: str | None = None

    def __str__(self) -> str:
        return self.message

    @classmethod
    def deadline(cls) -> Stop:
        """The search reached its deadline."""
        return cls(
            "deadline",
            f"The search reached its deadline. {GO_ON}",
            blames="Searching this gist alone takes longer than the deadline.",
        )

    @classmethod
    def too_large(cls) -> Stop:
        """The search has read as much as one search may."""
        return cls(
            "search_too_large",
            f"The search has read as much as one search may. {GO_ON}",
            blames="This gist alone is larger than one search may read.",
        )

    @classmethod
    def too_many_matches(cls) -> Stop:
        """The answer has as many matches, or as much of their text, as one may."""
        return cls("too_many_matches", f"The answer has as many matches as one may. {GO_ON}")

    @classmethod
    def found_too_much(cls) -> Stop:
        """The search has found more in gists that it has not decided than one answer may have."""
        stop = cls.too_many_matches()
        stop.blames = "This gist alone has more matches than one answer may."
        return stop


class Full(Stop):
    """As many matches were released as the caller asked for."""

    def __init__(self) -> None:
        super().__init__("limit", "")


def stop_of(error: GistapiError) -> Stop:
    """The stop that an error of a listing or a limit leads to."""
    message = f"{error} {GO_ON}"
    match error:
        case GithubRateLimitedError():
            return Stop("github_rate_limited", message, error)
        case RateLimitedError():
            return Stop("github_rate_limited", message, error, lets_work_end=True)
        case ByteQuotaError():
            return Stop("byte_quota", message, error, lets_work_end=True)
        case GithubTimeoutError():
            return Stop("deadline", message, error)
    return Stop("listing_unavailable", message, error)


def stop_or_raise(error: BaseException) -> Stop:
    """The stop that an error leads to; raises an unforeseen error."""
    if isinstance(error, Stop):
        return error
    if isinstance(error, GistapiError):
        return stop_of(error)
    raise error from None


def cause(group: BaseException) -> BaseException:
    """The error to report for a group: an unforeseen one, else Full, else the first."""
    errors = list(_leaves(group))
    unforeseen = [error for error in errors if not isinstance(error, Stop | GistapiError)]
    full = [error for error in errors if isinstance(error, Full)]
    return (unforeseen or full or errors)[0]


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup | Stop | GistapiError):
        error.__traceback__ = None  # its frames hold it, and with it all that the search had
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for member in error.exceptions for leaf in _leaves(member)]
