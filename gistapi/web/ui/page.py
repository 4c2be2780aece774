"""The pages for people: the search, and the reference of the interface."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from threading import BoundedSemaphore

from flask import Blueprint, Response, render_template, request, send_from_directory

from gistapi.errors import OverloadedError
from gistapi.web.openapi import document

# https://swagger.io/docs/open-source-tools/swagger-ui/, as the package flask-swagger-ui ships it
_REFERENCE = ("swagger-ui-bundle.js", "swagger-ui.css")
# At 1.5 MB, too large to be held in memory for everybody who asks: each holds a thread instead.
MAX_BUNDLES_AT_ONCE = 16
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Its icons are data: addresses.
REFERENCE_POLICY = PAGE_POLICY.replace("img-src 'self'", "img-src 'self' data:")


def pages(*, captcha: bool) -> Blueprint:
    """The pages, their assets, and the description at /openapi.json.

    With `captcha`, the search page solves one before each search.
    """
    blueprint = Blueprint(
        "page",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/static",
    )

    bundles = BoundedSemaphore(MAX_BUNDLES_AT_ONCE)

    @blueprint.after_request
    def _whole(response: Response) -> Response:
        # In one piece: a file in many holds a thread until the last is taken.
        if request.endpoint == "page.static":
            response.direct_passthrough = False
            response.get_data()
        return response

    @blueprint.get("/")
    def search_page() -> Response:
        return _page("page.html", PAGE_POLICY, captcha=captcha)

    @blueprint.get("/docs")
    def reference() -> Response:
        return _page("reference.html", REFERENCE_POLICY)

    @blueprint.get(f"/docs/<any({', '.join(map(repr, _REFERENCE))}):name>")
    def reference_asset(name: str) -> Response:
        if not bundles.acquire(blocking=False):
            raise OverloadedError("Too many ask for this at once", 1.0)
        response = send_from_directory(str(files("flask_swagger_ui") / "dist"), name)
        response.call_on_close(bundles.release)
        return response

    @blueprint.get("/openapi.json")
    def openapi() -> Response:
        return Response(_description(), mimetype="application/json")

    return blueprint


def _page(template: str, policy: str, **variables: object) -> Response:
    html = render_template(template, **variables)
    return Response(html, headers={"Content-Security-Policy": policy})


@cache
def _description() -> str:
    return json.dumps(document())
