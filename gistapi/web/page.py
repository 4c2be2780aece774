"""The pages for people: the search, and the reference of the interface."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from flask import Blueprint, Response, render_template, send_from_directory

from gistapi.web.openapi import document

# https://swagger.io/docs/open-source-tools/swagger-ui/, as the package flask-swagger-ui ships it
_REFERENCE = ("swagger-ui-bundle.js", "swagger-ui.css")
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

    @blueprint.get("/")
    def search_page() -> Response:
        return _page("page.html", PAGE_POLICY, captcha=captcha)

    @blueprint.get("/docs")
    def reference() -> Response:
        return _page("reference.html", REFERENCE_POLICY)

    @blueprint.get(f"/docs/<any({', '.join(map(repr, _REFERENCE))}):name>")
    def reference_asset(name: str) -> Response:
        return send_from_directory(str(files("flask_swagger_ui") / "dist"), name)

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
