"""The pages for browsers: the search, and the reference of the interface."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from functools import cache
from importlib.resources import files

from flask import Blueprint, Response, render_template, request

from gistapi.web.openapi import document

# https://swagger.io/docs/open-source-tools/swagger-ui/, as the package flask-swagger-ui ships it
_REFERENCE = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_EXAMPLES = (
    ("TODO|FIXME", "notes to oneself"),
    (r"^import (\w+)", "lines that import a module"),
    (r"https?://\S+", "web addresses"),
)
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Its icons are data: addresses.
REFERENCE_POLICY = PAGE_POLICY.replace("img-src 'self'", "img-src 'self' data:")


def pages(
    *, captcha: bool, counts: bool, caller_tokens: bool, has_keys: Callable[[], bool]
) -> Blueprint:
    """The pages, their assets, and the description at /openapi.json.

    With `captcha`, the search page solves one before each search. With `counts`, searches use
    up quotas, so a link's search waits for a click. With `caller_tokens`, the page accepts the
    user's GitHub token. If `has_keys`, it asks for a key when a search is refused.
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
        searched = "username" in request.args and "pattern" in request.args
        return _page(
            "page.html",
            PAGE_POLICY,
            captcha=captcha,
            counts=counts,
            caller_tokens=caller_tokens,
            has_keys=has_keys(),
            searched=searched,
            examples=_EXAMPLES,
        )

    @blueprint.get("/docs")
    def reference() -> Response:
        return _page("reference.html", REFERENCE_POLICY)

    @blueprint.get(f"/docs/<any({', '.join(map(repr, _REFERENCE))}):name>")
    def reference_asset(name: str) -> Response:
        compressed = request.accept_encodings["gzip"] > 0
        content, etag = _asset(name, compressed=compressed)
        response = Response(content, mimetype=_REFERENCE[name])
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Vary"] = "Accept-Encoding"
        if compressed:
            response.headers["Content-Encoding"] = "gzip"
        response.set_etag(etag)
        response.make_conditional(request)
        return response

    @blueprint.get("/openapi.json")
    def openapi() -> Response:
        return Response(_description(), mimetype="application/json")

    return blueprint


def _page(template: str, policy: str, **variables: object) -> Response:
    html = render_template(template, **variables)
    return Response(html, headers={"Content-Security-Policy": policy})


@cache
def _asset(name: str, *, compressed: bool) -> tuple[bytes, str]:
    """A file of the reference and its entity tag. All requests share it: it has up to 1.7 MB."""
    content = (files("flask_swagger_ui") / "dist" / name).read_bytes()
    if compressed:
        content = gzip.compress(content, mtime=0)
    return content, hashlib.sha256(content).hexdigest()[:32]


@cache
def _description() -> str:
    return json.dumps(document()) + "\n"
