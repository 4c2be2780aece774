"""Everything that knows Flask: the HTTP interface around a searcher.

`create_web` builds the WSGI application from a `Searches`, an `Operation` and a `Guard`; outside of
the package only that and `server`, which serves it, are used. May import `errors`, `models`,
`events`, `aio`, `search`, `quota` and `settings`.
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask

from gistapi.web import problems
from gistapi.web.operations import Operation
from gistapi.web.operations.health import Parts, State
from gistapi.web.protection import cors, headers, target
from gistapi.web.protection.authentication import Authentication, metrics_gate
from gistapi.web.protection.body_limits import MAX_BODY_BYTES
from gistapi.web.protection.captcha import Captcha
from gistapi.web.protection.client_ip import ClientAddresses
from gistapi.web.protection.guard import Guard
from gistapi.web.protection.rate_limits import Policy, RateLimits
from gistapi.web.routes import Searches, routes
from gistapi.web.ui.page import pages

__all__ = [
    "Authentication",
    "Captcha",
    "ClientAddresses",
    "Guard",
    "Operation",
    "Parts",
    "Policy",
    "RateLimits",
    "State",
    "create_web",
    "metrics_gate",
]


def create_web(
    searcher: Searches,
    operation: Operation | None = None,
    guard: Guard | None = None,
    *,
    cors_origins: Sequence[str] = (),
    allowed_hosts: Sequence[str] = (),
    caller_tokens: bool = False,
) -> Flask:
    """The web application around a searcher. Creating it opens nothing.

    Without an `operation`, only requests are counted; without a `guard`, every caller is admitted.
    Pages of `cors_origins` may call the API. Without `allowed_hosts`, any `Host` is accepted. With
    `caller_tokens`, callers may send a GitHub token of their own.
    """
    app = Flask("gistapi", static_folder=None, template_folder=None)
    # Werkzeug cuts a chunked body at the limit without an error: one byte more shows that it did.
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES + 1
    app.url_map.merge_slashes = False  # otherwise Werkzeug answers `//ping` with a redirect
    operation = operation or Operation()
    operation.init_app(app)
    headers.init_app(app)
    problems.init_app(app)
    target.init_app(app, allowed_hosts)
    cors.init_app(app, cors_origins)
    guard = guard or Guard()
    guard.init_app(app)
    app.register_blueprint(
        routes(searcher, guard, observe=operation.observe, caller_tokens=caller_tokens)
    )
    app.register_blueprint(
        pages(
            captcha=guard.captcha is not None,
            counts=guard.counts,
            caller_tokens=caller_tokens,
            has_keys=guard.has_keys,
        )
    )
    return app
