"""The request's ID, and the headers of every answer."""

from __future__ import annotations

import re
import uuid

from flask import Flask, Response, g, request

# https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers.
# Anything but a page may load and run nothing; pages set a policy of their own. HSTS belongs to the
# proxy that has the certificate.
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def request_id() -> str:
    """The caller's X-Request-ID if it is valid, else a random one for this request."""
    if "request_id" not in g:
        sent = request.headers.get("X-Request-ID", "")
        g.request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
    return str(g.request_id)


def init_app(app: Flask) -> None:
    """Add the request ID, caching and security headers to every answer, errors included."""

    @app.after_request
    def _finish(response: Response) -> Response:
        response.headers["X-Request-ID"] = request_id()
        response.headers.setdefault("Cache-Control", "no-store")
        for name, value in SECURITY.items():
            response.headers.setdefault(name, value)
        return response
