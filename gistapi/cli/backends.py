"""Two ways to have a search done, which tell the same lines: in this process, or by a service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

import requests
from requests import PreparedRequest

from gistapi.app import create_app, service_of
from gistapi.errors import GistapiError, InvalidPatternError
from gistapi.models import Query
from gistapi.search.report import ErrorAnswer, Line, line
from gistapi.settings import Settings

Ask = Callable[[Query], Iterator[Line]]
"""Searches once. Raises GistapiError."""

CONNECT_SECONDS = 10
SILENCE_SECONDS = 120
"""A service says something every second, once GitHub has answered."""


class ServiceError(GistapiError):
    """The service refused, failed or can't be reached; the message has its own words."""


@contextmanager
def here(settings: Settings) -> Iterator[Ask]:
    """Search in this process, with the cache that the settings name."""
    service = service_of(create_app(settings))

    def ask(query: Query) -> Iterator[Line]:
        with closing(service.searcher.search(query, in_order=False)) as events:
            for event in events:
                yield line(query, event)

    try:
        yield ask
    finally:
        service.close()


@contextmanager
def there(server: str, key: str | None) -> Iterator[Ask]:
    """Have the service at this address search."""

    def with_key(request: PreparedRequest) -> PreparedRequest:
        # Also keeps requests from looking for a password in `.netrc`.
        if key is not None:
            request.headers["Authorization"] = f"Bearer {key}"
        return request

    def ask(query: Query) -> Iterator[Line]:
        try:
            with session.post(
                f"{server.rstrip('/')}/api/v1/search",
                json=_body(query),
                headers={"Accept": "application/x-ndjson"},
                auth=with_key,
                allow_redirects=False,
                stream=True,
                timeout=(CONNECT_SECONDS, SILENCE_SECONDS),
            ) as response:
                if response.status_code != requests.codes.ok:
                    raise _refusal(response)
                for text in response.iter_lines():
                    yield _checked(json.loads(text))
        except (requests.RequestException, ValueError) as error:
            raise ServiceError(f"{server} can't be asked: {error}") from error

    with requests.Session() as session:
        yield ask


def _body(query: Query) -> dict[str, Any]:
    fields = asdict(query)
    fields |= fields.pop("flags")
    for name, value in fields.items():
        if isinstance(value, datetime):
            fields[name] = value.isoformat()
    return fields


def _checked(told: Line) -> Line:
    if told["type"] == "error":
        raise _error(told["data"])
    return told


def _refusal(response: requests.Response) -> GistapiError:
    try:
        return _error(response.json())
    except (ValueError, KeyError, TypeError):
        return ServiceError(f"{response.url} answered {response.status_code} {response.reason}")


def _error(answer: ErrorAnswer) -> GistapiError:
    for fault in answer.get("errors", []):
        if "position" in fault:
            return InvalidPatternError(fault["message"], fault["position"])
    message = answer["message"]
    if answer.get("code") in {"unauthorized", "captcha_required"}:
        message += " Name a file with a key of this service: --key-file FILE."
    return ServiceError(message)
