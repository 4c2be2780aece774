"""Whether other machines can use the service without protection."""

from __future__ import annotations

from gistapi.settings import Settings


def warnings(settings: Settings, *, keys_exist: bool) -> tuple[str, ...]:
    """Sentences for the log and for /readyz?verbose; none if there is nothing to warn of."""
    if settings.on_loopback or settings.allowed_addresses:
        return ()
    limited = any((settings.rate_limit, settings.daily_limit, settings.caller_github_requests))
    keyed = keys_exist and not settings.keys_optional
    if keyed or limited:
        return ()
    sentence = (
        f"The service listens on {settings.host} without keys and without rate limits: anybody who"
        " reaches it can use up GitHub's rate limit. Create a key with `gistapi keys create NAME`,"
        " or set GISTAPI_RATE_LIMIT and GISTAPI_CALLER_GITHUB_REQUESTS."
    )
    return (sentence,)
