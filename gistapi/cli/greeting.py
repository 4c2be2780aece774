"""The greeting for a person who starts the service in a terminal."""

from __future__ import annotations

from importlib.metadata import version
from ipaddress import ip_address

from gistapi.settings import Settings, variable

UNAUTHENTICATED = (
    "none: GitHub answers 60 requests an hour. Set GISTAPI_GITHUB_TOKEN to a token without scopes"
    " to raise that to 5,000."
)
AUTHENTICATED = "set: GitHub answers 5,000 requests an hour."


def greeting(settings: Settings) -> str:
    """Lines that name the version, the address to open, the token's effect and the cache."""
    lines = [f"gistapi {version('gistgrep')} serves on {address(settings)}"]
    if settings.github_api_url == type(settings).model_fields["github_api_url"].default:
        lines.append(f"GitHub token  {AUTHENTICATED if settings.github_token else UNAUTHENTICATED}")
    else:
        lines.append(f"GitHub        {settings.github_api_url}")
    lines.append(f"Cache         {settings.public()[variable('cache_url')]}")
    lines.append("Ctrl-C ends the service.")
    return "".join(f"{line}\n" for line in lines)


def address(settings: Settings) -> str:
    """The URL of the page in a browser on this machine."""
    host = settings.host
    try:
        number = ip_address(host)
    except ValueError:
        pass
    else:
        if number.is_unspecified:
            host = "localhost"
        elif number.version == 6:  # noqa: PLR2004 - the protocol's number
            host = f"[{host}]"
    return f"http://{host}:{settings.port}/"
