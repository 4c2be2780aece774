"""Origins whose pages may call the API and read its answers (CORS)."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask, Response, request
from flask_cors import CORS

from gistapi.web.protection.captcha import HEADER

API = "/api/"
PREFLIGHT_SECONDS = 600
ALLOWED = (
    "Accept",
    "Content-Type",
    "Authorization",
    "X-API-Key",
    "X-Request-ID",
    "X-GitHub-Token",
    HEADER,
)
EXPOSED = ("X-Request-ID", "Retry-After", "RateLimit", "RateLimit-Policy", "WWW-Authenticate")


def init_app(app: Flask, origins: Sequence[str]) -> None:
    """Allow exactly these origins, without credentials: the API uses no cookies.

    Flask answers preflight requests. They need no key and run no search.
    """
    if not origins:
        return
    CORS(
        app,
        resources=f"{API}.*",
        origins=list(origins),
        methods=["GET", "POST", "QUERY"],
        allow_headers=list(ALLOWED),
        expose_headers=list(EXPOSED),
        max_age=PREFLIGHT_SECONDS,
        supports_credentials=False,
        always_send=False,
        vary_header=False,
    )

    @app.after_request
    def _vary(response: Response) -> Response:
        # Flask-Cors omits it if the origin is not allowed.
        if request.path.startswith(API):
            response.vary.add("Origin")
        return response
