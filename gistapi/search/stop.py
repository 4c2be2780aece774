"""The reasons for which a search stops early, and the choice among several errors."""

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
class Stop(Exception):  # noqa: N818 - it is not an error
    """Ends a search early; `reason` is one of `report.REASONS`.

    `error` is raised instead of a partial answer if no gist was decided. With `lets_work_end`, the
    search first waits for the files that are being read. `blames` is the message of the gap for a
    gist that used up the whole search by itself; None if no gist can be the cause.
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
        """Return the stop of a search that reached its deadline."""
        return cls(
            "deadline",
            f"The search reached its deadline. {GO_ON}",
            blames="Searching this gist alone takes longer than the deadline.",
        )

    @classmethod
    def too_large(cls) -> Stop:
        """Return the stop of a search that has read the maximum of gists, files or bytes."""
        return cls(
            "search_too_large",
            f"The search has read as much as one search may. {GO_ON}",
            blames="This gist alone is larger than one search may read.",
        )

    @classmethod
    def too_many_matches(cls) -> Stop:
        """Return the stop of a search whose answer has the maximum of matches or of their text."""
        return cls("too_many_matches", f"The answer has the maximum number of matches. {GO_ON}")

    @classmethod
    def found_too_much(cls) -> Stop:
        """Return the stop of a search that found too many matches in gists not yet decided."""
        stop = cls.too_many_matches()
        stop.blames = "This gist alone has more matches than one answer may have."
        return stop


class Full(Stop):
    """Ends a search that has released as many matches as its limit."""

    def __init__(self) -> None:
        super().__init__("limit", "")


def stop_of(error: GistapiError) -> Stop:
    """Return the stop for an error of a listing or of a limit."""
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
    """Return the stop for an error; raises the error itself if it is unforeseen."""
    if isinstance(error, Stop):
        return error
    if isinstance(error, GistapiError):
        return stop_of(error)
    raise error from None


def cause(group: BaseException) -> BaseException:
    """Return the error to report for a group: an unforeseen one, else Full, else the first."""
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
