"""Reads proxies and certificates for requests to GitHub from the environment, as requests does.

The variables are `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE` and
`CURL_CA_BUNDLE`.
https://requests.readthedocs.io/en/latest/user/advanced/#proxies
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy
from yarl import URL

from gistapi.errors import SettingsError

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def proxy_of(origin: str) -> str | None:
    """Return the URL of the proxy for an origin, with its credentials; None to connect directly.

    Raises SettingsError, without the credentials, for a proxy that cannot be used.
    """
    chosen = select_proxy(origin, get_environ_proxies(origin))
    if not chosen:
        return None
    chosen = chosen if "://" in chosen else f"http://{chosen}"
    if chosen.lower().startswith("socks"):
        raise SettingsError(f"The proxy for {origin} is a SOCKS proxy; use an HTTP proxy.")
    try:
        proxy = URL(chosen)
        is_http = proxy.scheme in {"http", "https"} and bool(proxy.host and proxy.port)
    except ValueError:
        is_http = False
    if not is_http:
        raise SettingsError(f"The proxy for {origin} is not a URL such as http://proxy:3128.")
    return chosen


def tls_context() -> ssl.SSLContext:
    """Return a context with the certificates to trust; raises SettingsError for unreadable ones."""
    name, path = next(
        ((name, value) for name in BUNDLES if (value := os.environ.get(name))),
        ("certifi", DEFAULT_CA_BUNDLE_PATH),
    )
    try:
        if Path(path).is_dir():
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except FileNotFoundError:
        raise SettingsError(f"{name}: there is no file {path}.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise SettingsError(f"{name}: no certificates can be read from {path}: {reason}") from error


def check_environment(api_url: str, content_hosts: Iterable[str]) -> None:
    """Raise SettingsError, with one line for each proxy or certificate file that cannot be used."""
    scheme = api_url.partition("://")[0]
    origins = [api_url, *(f"{scheme}://{host}" for host in content_hosts)]
    faults: dict[str, None] = {}
    for origin in origins:
        try:
            proxy_of(origin)
        except SettingsError as fault:
            faults[str(fault)] = None
    if scheme == "https":
        try:
            tls_context()
        except SettingsError as fault:
            faults[str(fault)] = None
    if faults:
        raise SettingsError("\n".join(faults))
