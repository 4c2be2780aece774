"""Two backends that answer a search with the same lines: this process, or a running service."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, cast

from gistapi.cli.terminal import say
from gistapi.cli.tokens import find_token
from gistapi.client.answers import Line
from gistapi.client.fields import Fields
from gistapi.client.following import Ask
from gistapi.client.parsing import parse
from gistapi.errors import UnauthorizedError
from gistapi.models import Query

if TYPE_CHECKING:
    from gistapi.search import Searcher
    from gistapi.settings import Settings

Backend = Callable[[Query], Ask]
"""Searches for a query; each answer raises GistapiError or ClientError."""
TOKENLESS = (
    "Your own and your starred gists need a GitHub token:"
    " set GH_TOKEN, or log in with `gh auth login`."
)


@contextmanager
def local(settings: Settings, *, verbose: bool) -> Iterator[Backend]:
    """Search in this process, with the settings' cache and the user's own GitHub token."""
    with in_process(settings, verbose=verbose) as (backend, _):
        yield backend


@contextmanager
def in_process(settings: Settings, *, verbose: bool) -> Iterator[tuple[Backend, Searcher]]:
    """As `local`, with the searcher behind it, which reads files too."""
    from gistapi.app import build_service  # noqa: PLC0415 - a remote search needs none
    from gistapi.search.report import line  # noqa: PLC0415

    settings = _with_token(settings, verbose=verbose)
    service = build_service(settings)

    def backend(query: Query) -> Ask:
        own_token = None
        if query.mine or query.starred:
            if settings.github_token is None:
                raise UnauthorizedError(TOKENLESS)
            own_token = settings.github_token.get_secret_value()

        def ask(cursor: str | None, limit: int | None) -> Generator[Line]:
            asked = replace(query, cursor=cursor, limit=limit)
            with closing(service.searcher.search(asked, caller_token=own_token)) as events:
                for event in events:
                    yield parse(line(asked, event))

        return ask

    try:
        yield backend, service.searcher
    finally:
        service.close()


@contextmanager
def remote(server: str, key: str | None, github_token: str | None) -> Iterator[Backend]:
    """Search by the service at this address."""
    from gistapi.client.service import RemoteService  # noqa: PLC0415 - a local search needs none

    with RemoteService(server, key=key, github_token=github_token) as service:
        yield lambda query: service.asking(fields(query))


def fields(query: Query) -> Fields:
    """The request for a query: its fields that are not the contract's defaults."""
    given: dict[str, object] = {"pattern": query.pattern}
    for name in Fields.__annotations__:  # as a query and its flags have them
        value = getattr(query.flags if hasattr(query.flags, name) else query, name)
        if isinstance(value, datetime):
            given[name] = value.isoformat()
        elif value:
            given[name] = list(value) if isinstance(value, tuple) else value
    return cast("Fields", given)


def _with_token(settings: Settings, *, verbose: bool) -> Settings:
    """The settings with the token that GitHub's other tools use, unless they have one."""
    if settings.github_token is not None:
        source = "GISTAPI_GITHUB_TOKEN"
    else:
        token = find_token(settings.github_api_url)
        if token is None:
            source = "none (60 requests an hour)"
        else:
            source = token.source
            from pydantic import SecretStr  # noqa: PLC0415 - settings have loaded it

            settings = settings.model_copy(update={"github_token": SecretStr(token.value)})
    if verbose:
        say(f"GitHub token: {source}")
    return settings
