"""Where the parts are put together: the only module that knows them all."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from flask import Flask

from gistapi.aio.fairpool import FairPool
from gistapi.cache import Cache, open_cache
from gistapi.errors import OverloadedError
from gistapi.events import Event, Observer
from gistapi.github import Freshness, Github
from gistapi.matching import Matching
from gistapi.quota.counters import Counters, Rate
from gistapi.quota.keys import KeyFile
from gistapi.quota.nonces import NonceStore
from gistapi.search import Searcher
from gistapi.search.reader import GistSource
from gistapi.search.session import Bounds
from gistapi.settings import Settings, load_settings
from gistapi.web import (
    Authentication,
    Captcha,
    ClientAddresses,
    Guard,
    Operation,
    Parts,
    Policy,
    RateLimits,
    State,
    create_web,
    metrics_gate,
)
from gistapi.web.operations.access_log import EventLog
from gistapi.web.protection import exposure

MAX_SEARCHES = 64
RECENT_BYTES = 16 * 2**20
# Searches cannot hold them all: the others answer /ping and refusals.
THREADS = MAX_SEARCHES + 32
CALLER_SEARCHES = MAX_SEARCHES // 4
"""Searches that one caller may have running unless GISTAPI_CALLER_SEARCHES is set."""

_log = logging.getLogger(__name__)


@dataclass
class Service:
    """What an app stands on, for whoever has to start and end it."""

    searcher: Searcher
    matching: Matching
    cache: Cache
    counters: Counters
    github: Github | None
    used: NonceStore
    _warming: bool = False

    @property
    def state(self) -> State:
        """Whether searches are welcome."""
        if self.searcher.stopping:
            return "stopping"
        return "starting" if self._warming else "ready"

    def warm(self) -> None:
        """Build tables and start worker processes, so that no search has to wait for them."""
        self._warming = True
        try:
            self.matching.start()
        except OverloadedError:
            pass  # the service is ended already
        except OSError:
            _log.exception("The matching workers can't be started before they are needed.")
        finally:
            self._warming = False

    def shut_down(self, grace_seconds: float) -> None:
        """Begin no search any more, and end those that run after the grace as they are."""
        self.searcher.shut_down(grace_seconds)

    def close(self) -> None:
        """End worker processes, threads and connections, and write what the cache still holds."""
        self.matching.close()
        if self.github is not None:
            self.github.close()
        self.cache.close()
        self.counters.close()
        self.used.close()


def create_app(
    settings: Settings | None = None,
    *,
    source: GistSource | None = None,
    cache: Cache | None = None,
) -> Flask:
    """The service as a WSGI application; building it opens no file, socket or process.

    `source` and `cache` stand in for GitHub and for the cache that the settings name.

    Raises:
        SettingsError: `settings` was left to the environment, which names no valid ones.
    """
    settings = load_settings() if settings is None else settings
    keys = Authentication(KeyFile(settings.keys_file), optional=settings.keys_optional)
    event_log = EventLog()
    operation = Operation(metrics_gate(settings.metrics_access, keys))

    def observe(event: Event) -> None:
        operation.observe(event)
        event_log.observe(event)

    cache = _cache(settings, observe) if cache is None else cache
    github = None
    if source is None:
        source = github = _github(settings, cache, observe)
    matching = Matching(pattern_timeout_seconds=settings.pattern_timeout_seconds, observe=observe)
    searcher = Searcher(
        source,
        cache,
        matching,
        FairPool(settings.github_concurrency_total, settings.github_concurrency),
        deadline_seconds=settings.search_deadline_seconds,
        max_searches=MAX_SEARCHES,
        bounds=Bounds(size_bytes=settings.search_max_bytes),
        observe=observe,
    )
    counters = Counters(
        settings.cache_url, fail_closed=settings.limits_fail_closed, observe=observe
    )
    used = NonceStore(settings.cache_url, observe)
    service = Service(searcher, matching, cache, counters, github, used)
    operation.watch(
        Parts(
            state=lambda: service.state,
            cache=cache.status,
            searches=lambda: searcher.running,
            max_searches=MAX_SEARCHES,
            workers=lambda: len(matching.workers.pids),
            warnings=lambda: exposure.warnings(settings, keys_exist=settings.keys_file.exists()),
        )
    )
    guard = _guard(settings, used, keys, RateLimits(_policy(settings), counters))
    app = create_web(searcher, operation, guard, cors_origins=settings.cors_origins)
    app.extensions["gistapi"] = service
    return app


def service_of(app: Flask) -> Service:
    """What an app made by `create_app` stands on."""
    service: Service = app.extensions["gistapi"]
    return service


def _cache(settings: Settings, observe: Observer) -> Cache:
    return open_cache(
        settings.cache_url,
        max_bytes=settings.cache_max_bytes,
        recent_bytes=RECENT_BYTES,
        observe=observe,
    )


def _policy(settings: Settings) -> Policy:
    period, requests = settings.rate_limit, settings.caller_github_requests
    return Policy(
        period=None if period is None else Rate.parsed(period),
        day=settings.daily_limit,
        key_total=settings.key_total_limit,
        searches=settings.caller_searches or CALLER_SEARCHES,
        github_requests=None if requests is None else Rate.parsed(requests),
        github_bytes=settings.caller_github_bytes,
    )


def _github(settings: Settings, cache: Cache, observe: Observer) -> Github:
    token = settings.github_token
    return Github(
        api_url=settings.github_api_url,
        content_hosts=settings.github_content_hosts,
        token=None if token is None else token.get_secret_value(),
        timeout_seconds=settings.github_timeout_seconds,
        connections=settings.github_concurrency_total,
        store=cache,
        trust=Freshness(settings.listing_ttl_seconds, settings.listing_stale_seconds),
        observe=observe,
    )


def _guard(settings: Settings, used: NonceStore, keys: Authentication, limits: RateLimits) -> Guard:
    addresses = ClientAddresses(
        settings.allowed_addresses, settings.denied_addresses, settings.trusted_proxies
    )
    key = settings.captcha_key
    captcha = None if key is None else Captcha(key.get_secret_value(), used)
    return Guard(addresses=addresses, keys=keys, captcha=captcha, limits=limits)
