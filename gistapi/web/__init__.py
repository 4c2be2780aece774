"""Everything that knows Flask."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask

from gistapi.web import problems
from gistapi.web.operations import Operation
from gistapi.web.operations.health import Parts, State
from gistapi.web.protection import cors, headers
from gistapi.web.protection.authentication import Authentication, metrics_gate
from gistapi.web.protection.body_limits import MAX_BODIES_AT_ONCE, MAX_BODY_BYTES
from gistapi.web.protection.captcha import Captcha
from gistapi.web.protection.client_ip import ClientAddresses
from gistapi.web.protection.guard import Guard
from gistapi.web.protection.rate_limits import Policy, RateLimits
from gistapi.web.protection.write_timeout import WriteTimeout
from gistapi.web.routes import Searches, routes
from gistapi.web.ui.page import pages

__all__ = [
    "MAX_BODIES_AT_ONCE",
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
) -> Flask:
    """The web application around a searcher; creating it opens nothing.

    `operation` is what its operators are told of; without one, of nothing but requests. Without a
    `guard` everybody may ask. Pages of `cors_origins` may call the API.
    """
    app = Flask("gistapi", static_folder=None, template_folder=None)
    # Werkzeug cuts a chunked body at the limit without a word: one byte more shows that it was.
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES + 1
    app.url_map.merge_slashes = False  # Werkzeug would answer `//ping` with an HTML redirect
    (operation or Operation()).init_app(app)
    headers.init_app(app)
    problems.init_app(app)
    cors.init_app(app, cors_origins)
    guard = guard or Guard()
    guard.init_app(app)
    app.register_blueprint(routes(searcher, guard))
    app.register_blueprint(pages(captcha=guard.captcha is not None))
    app.wsgi_app = WriteTimeout(app.wsgi_app)  # type: ignore[method-assign]  # as Flask has it
    return app
