"""The composition root: `build_service` for a search, `create_app` for the web around it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gistapi.aio.limiter import FairLimiter
from gistapi.aio.portal import Portal
from gistapi.cache import Cache, open_cache, redis_server
from gistapi.errors import OverloadedError
from gistapi.events import Observer, ignore, observer
from gistapi.github import Freshness, Github, check_environment
from gistapi.matching import Matching
from gistapi.quota.counters import Counters, Rate
from gistapi.quota.keys import KeyFile
from gistapi.quota.nonces import NonceStore
from gistapi.quota.waits import SharedWaits
from gistapi.search import SearchBounds, Searcher
from gistapi.search.source import GistSource
from gistapi.settings import Settings, load_settings

if TYPE_CHECKING:
    from flask import Flask

    from gistapi.cache.redis import RedisServer
    from gistapi.web import Authentication, Guard, Policy, RateLimits, State

MAX_SEARCHES = 64
HOT_BYTES = 16 * 2**20
"""Contents kept in memory in front of the cache."""
THREADS = MAX_SEARCHES + 32
"""Searches cannot use all of them: 32 remain for /ping and for refusals."""
CALLER_SEARCHES = MAX_SEARCHES // 4
"""Searches that one caller may have running unless GISTAPI_CALLER_SEARCHES is set."""

_log = logging.getLogger(__name__)


@dataclass
class Service:
    """The parts that searches need, for the code that starts and ends them."""

    portal: Portal
    searcher: Searcher
    matching: Matching
    cache: Cache
    github: Github | None
    server: RedisServer | None = None
    counters: Counters | None = None
    _warming: bool = field(default=False, repr=False)

    @property
    def state(self) -> State:
        """Whether searches are accepted."""
        if self.searcher.is_stopping:
            return "stopping"
        return "starting" if self._warming else "ready"

    def warm(self) -> None:
        """Build tables and start worker processes, so that no search waits for them."""
        self._warming = True
        try:
            self.portal.call(self.matching.start())
        except OverloadedError:
            pass  # the service has been closed
        except OSError:
            _log.exception("The matching workers could not be started ahead of the first search.")
        finally:
            self._warming = False

    def close(self) -> None:
        """End worker processes, threads and connections, and write what the cache has queued."""
        self.portal.call(self._close_async())
        self.portal.close()
        self.searcher.close()
        self.cache.close()
        if self.counters is not None:
            self.counters.close()
        if self.server is not None:
            self.server.close()

    async def _close_async(self) -> None:
        await self.matching.close()
        if self.github is not None:
            await self.github.close()


def build_service(
    settings: Settings,
    *,
    source: GistSource | None = None,
    cache: Cache | None = None,
    observe: Observer = ignore,
) -> Service:
    """Build a searcher. It opens no file, socket, thread or process before its first use.

    `source` and `cache` replace GitHub and the cache that the settings name.
    """
    server = redis_server(settings.cache_url)
    if cache is None:
        cache = open_cache(
            settings.cache_url,
            server=server,
            max_bytes=settings.cache_max_bytes,
            max_file_bytes=settings.cache_max_file_bytes,
            hot_bytes=HOT_BYTES,
            observe=observe,
        )
    github = None
    if source is None:
        waits = None if server is None else SharedWaits(server, observe)
        source = github = _github(settings, cache, waits, observe)
    matching = Matching(pattern_timeout_seconds=settings.pattern_timeout_seconds, observe=observe)
    portal = Portal()
    searcher = Searcher(
        source,
        cache,
        matching,
        FairLimiter(settings.github_concurrency_total, settings.github_concurrency),
        portal,
        deadline_seconds=settings.search_deadline_seconds,
        max_searches=MAX_SEARCHES,
        bounds=SearchBounds(size_bytes=settings.search_max_bytes),
        observe=observe,
    )
    return Service(portal, searcher, matching, cache, github, server)


def create_app(
    settings: Settings | None = None,
    *,
    source: GistSource | None = None,
    cache: Cache | None = None,
) -> Flask:
    """The service as a WSGI application. Building it opens no file, socket or process.

    `source` and `cache` replace GitHub and the cache that the settings name.

    Raises:
        SettingsError: `settings` is None, and the environment has no valid ones.
    """
    # A local search needs no Flask, no metrics and no structured log.
    from gistapi import web  # noqa: PLC0415
    from gistapi.web.operations.access_log import EventLog  # noqa: PLC0415
    from gistapi.web.protection.exposure import warnings  # noqa: PLC0415

    settings = load_settings() if settings is None else settings
    key_file = _key_file(settings)
    keys = web.Authentication(key_file, optional=settings.keys_optional)
    event_log = EventLog()
    operation = web.Operation(web.metrics_gate(settings.metrics_access, keys))
    observe = observer(*operation.tables, event_log.handlers)
    service = build_service(settings, source=source, cache=cache, observe=observe)
    service.counters = Counters(
        service.server, fail_closed=settings.limits_fail_closed, observe=observe
    )
    nonces = NonceStore(service.server, observe)
    operation.watch(
        web.Parts(
            state=lambda: service.state,
            cache=service.cache.status,
            searches=lambda: service.searcher.running,
            max_searches=MAX_SEARCHES,
            workers=lambda: len(service.matching.workers.pids),
            tasks=service.portal.waiting,
            hosts=tuple if service.github is None else service.github.hosts,
            warnings=lambda: warnings(settings, keys_exist=key_file.exists()),
        )
    )
    limits = web.RateLimits(_policy(settings), service.counters)
    app = web.create_web(
        service.searcher,
        operation,
        _guard(settings, nonces, keys, limits),
        cors_origins=settings.cors_origins,
        allowed_hosts=settings.allowed_hosts,
        caller_tokens=settings.caller_tokens,
    )
    app.extensions["gistapi"] = service
    return app


def check(settings: Settings) -> bool:
    """Check the configured files and proxies before anything is started; True if keys exist.

    Raises:
        SettingsError: the cache's path is a file that gistapi did not create, or GitHub
            cannot be reached with the environment's proxies or certificates.
        KeyFileError: the keys cannot be read, or their file was deleted.
    """
    open_cache(settings.cache_url)
    check_network(settings)
    return _key_file(settings).exists()


def check_network(settings: Settings) -> None:
    """Raise SettingsError if the environment's proxies or certificates cannot be used."""
    check_environment(settings.github_api_url, settings.github_content_hosts)


def service_of(app: Flask) -> Service:
    """The service of an app made by `create_app`."""
    service: Service = app.extensions["gistapi"]
    return service


def _key_file(settings: Settings) -> KeyFile:
    return KeyFile(settings.keys_file, required=settings.keys_required)


def _github(
    settings: Settings, cache: Cache, waits: SharedWaits | None, observe: Observer
) -> Github:
    token = settings.github_token
    return Github(
        api_url=settings.github_api_url,
        content_hosts=settings.github_content_hosts,
        token=None if token is None else token.get_secret_value(),
        timeout_seconds=settings.github_timeout_seconds,
        concurrency_total=settings.github_concurrency_total,
        store=cache,
        freshness=Freshness(
            settings.listing_ttl_seconds,
            settings.listing_stale_seconds,
            settings.listing_reconcile_seconds,
        ),
        observe=observe,
        waits=waits,
    )


def _policy(settings: Settings) -> Policy:
    from gistapi.web import Policy  # noqa: PLC0415 - see create_app

    period, requests = settings.rate_limit, settings.caller_github_requests
    return Policy(
        period=None if period is None else Rate.parsed(period),
        day=settings.daily_limit,
        key_total=settings.key_total_limit,
        searches=settings.caller_searches or CALLER_SEARCHES,
        github_requests=None if requests is None else Rate.parsed(requests),
        github_bytes=settings.caller_github_bytes,
    )


def _guard(
    settings: Settings, nonces: NonceStore, keys: Authentication, limits: RateLimits
) -> Guard:
    from gistapi.web import Captcha, ClientAddresses, Guard  # noqa: PLC0415 - see create_app

    addresses = ClientAddresses(
        settings.allowed_addresses, settings.denied_addresses, settings.trusted_proxies
    )
    key = settings.captcha_key
    captcha = None if key is None else Captcha(key.get_secret_value(), nonces)
    return Guard(addresses=addresses, keys=keys, captcha=captcha, limits=limits)
