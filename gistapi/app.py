"""Where the parts are put together: `build_service` for a search, `create_app` for the web."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gistapi.aio.limiter import FairLimiter
from gistapi.aio.portal import Portal
from gistapi.cache import Cache, open_cache
from gistapi.errors import OverloadedError
from gistapi.events import Observer, ignore
from gistapi.github import Github
from gistapi.matching import Matching
from gistapi.search import Bounds, Searcher
from gistapi.search.reader import GistSource
from gistapi.settings import Settings, load_settings

if TYPE_CHECKING:
    from flask import Flask

MAX_SEARCHES = 64
HOT_BYTES = 16 * 2**20
"""Contents that stay in memory in front of the cache."""

_log = logging.getLogger(__name__)


@dataclass
class Service:
    """What searches stand on, for whoever starts and ends it. Building it opens nothing."""

    portal: Portal
    searcher: Searcher
    matching: Matching
    cache: Cache
    github: Github | None
    _warming: bool = field(default=False, repr=False)

    @property
    def state(self) -> Literal["starting", "ready", "stopping"]:
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

    def shut_down(self, grace_seconds: float) -> None:
        """Refuse new searches, and end those that still run after the grace as they are."""
        self.searcher.shut_down(grace_seconds)

    def close(self) -> None:
        """End worker processes, threads and connections, and write what the cache holds back."""
        self.portal.call(self._close_async())
        self.portal.close()
        self.searcher.close()
        self.cache.close()

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
    """Put a searcher together; it opens no file, socket, thread or process before its first use.

    `source` and `cache` replace GitHub and the cache that the settings name.
    """
    if cache is None:
        cache = open_cache(
            settings.cache_url,
            max_bytes=settings.cache_max_bytes,
            recent_bytes=HOT_BYTES,
            observe=observe,
        )
    github = None if source is not None else _github(settings, cache, observe)
    matching = Matching(pattern_timeout_seconds=settings.pattern_timeout_seconds, observe=observe)
    portal = Portal()
    searcher = Searcher(
        source or github,
        cache,
        matching,
        FairLimiter(settings.github_concurrency_total, settings.github_concurrency),
        portal,
        deadline_seconds=settings.search_deadline_seconds,
        max_searches=MAX_SEARCHES,
        bounds=Bounds(size_bytes=settings.search_max_bytes),
        observe=observe,
    )
    return Service(portal, searcher, matching, cache, github)


def create_app(
    settings: Settings | None = None,
    *,
    source: GistSource | None = None,
    cache: Cache | None = None,
) -> Flask:
    """The service as a WSGI application; building it opens no file, socket or process.

    Raises:
        SettingsError: `settings` was left to the environment, which names no valid ones.
    """
    from gistapi.web.assembly import assemble  # noqa: PLC0415 - a local search needs no Flask

    settings = load_settings() if settings is None else settings
    return assemble(settings, build_service, source=source, cache=cache)
