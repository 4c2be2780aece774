"""Everything that knows Flask."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask

from gistapi.web import cors, headers, problems
from gistapi.web.addresses import Addresses
from gistapi.web.authentication import Authentication, metrics_gate
from gistapi.web.bodies import MAX_BODIES_AT_ONCE, MAX_BODY_BYTES
from gistapi.web.captcha import Captcha
from gistapi.web.guard import Guard
from gistapi.web.health import Parts, State
from gistapi.web.limits import Limits, Policy
from gistapi.web.ops import Operation
from gistapi.web.page import pages
from gistapi.web.patience import Patience
from gistapi.web.routes import Searches, routes

__all__ = [
    "MAX_BODIES_AT_ONCE",
    "Addresses",
    "Authentication",
    "Captcha",
    "Guard",
    "Limits",
    "Operation",
    "Parts",
    "Policy",
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
    app.wsgi_app = Patience(app.wsgi_app)  # type: ignore[method-assign]  # as Flask has it
    return app
