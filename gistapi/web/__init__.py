"""Everything that knows Flask."""

from __future__ import annotations

from flask import Flask

from gistapi.web import headers, problems
from gistapi.web.routes import Searches, routes

__all__ = ["create_web"]

MAX_BODY_BYTES = 64 * 1024


def create_web(searcher: Searches) -> Flask:
    """The web application around a searcher; creating it opens nothing."""
    app = Flask("gistapi", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.merge_slashes = False  # Werkzeug would answer `//ping` with an HTML redirect
    headers.init_app(app)
    problems.init_app(app)
    app.register_blueprint(routes(searcher))
    return app
