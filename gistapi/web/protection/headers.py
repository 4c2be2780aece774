"""What a request's headers ask for, and what the headers of every answer say."""

from __future__ import annotations

import re
import uuid

from flask import Flask, Response, g, request

# https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers.
# What is no page may load and run nothing; pages have a policy of their own. HSTS is for whoever
# has the certificate: the proxy in front.
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def request_id() -> str:
    """The caller's X-Request-ID when it is a plain word, else one made up for this request."""
    if "request_id" not in g:
        sent = request.headers.get("X-Request-ID", "")
        g.request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
    return str(g.request_id)


def named(media_type: str) -> bool:
    """Whether `Accept` names this type, by no wildcard, and likes no plain JSON better."""
    qualities = dict(request.accept_mimetypes)
    quality = qualities.get(media_type, 0)
    return quality > 0 and quality >= qualities.get("application/json", 0)


def init_app(app: Flask) -> None:
    """Give every answer, an error too, what a caller and the caches between have to know."""

    @app.after_request
    def _finish(response: Response) -> Response:
        response.headers["X-Request-ID"] = request_id()
        response.headers.setdefault("Cache-Control", "no-store")
        for name, value in SECURITY.items():
            response.headers.setdefault(name, value)
        return response
