"""For operators: /livez, /readyz, /metrics, and one log line for each request."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from gistapi.events import observer
from gistapi.search.report import ErrorCode
from gistapi.web.operations.health import Health, Parts
from gistapi.web.operations.metrics import Metrics
from gistapi.web.operations.probes import PROBES
from gistapi.web.protection.headers import request_id
from gistapi.web.protection.rejections import REFUSALS, Rejections
from gistapi.web.responses import json_response

HEALTH_JSON = "application/health+json"
MAX_PATH_CHARACTERS = 200
_QUIET = {"page.static", "page.reference_asset"}
# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(
    r"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})(?P<trace_id>[0-9a-f]{32})"
    r"-(?!0{16})(?P<parent_id>[0-9a-f]{16})-[0-9a-f]{2}(-.*)?"
)

_log = logging.getLogger(__name__)


class Operation:
    """The metrics, health and request log of one application.

    `observe`, by `tables`, counts and records events. `metrics_gate` raises for requests that may
    not read /metrics.
    """

    def __init__(self, metrics_gate: Callable[[], None] = lambda: None) -> None:
        self.metrics = Metrics()
        self.rejections = Rejections(self.metrics.registry)
        self._metrics_gate = metrics_gate
        self.health = Health()
        self.parts: Parts | None = None
        self.tables = (self.metrics.handlers, self.health.handlers, self.rejections.handlers)
        self.observe = observer(*self.tables)

    def watch(self, parts: Parts) -> None:
        """Read these whenever health or metrics are requested."""
        self.parts = parts
        self.metrics.watch(parts)

    def init_app(self, app: Flask) -> None:
        """Add the operators' routes, and count and log every request."""
        app.register_blueprint(self._routes())

        @app.before_request
        def _begin() -> None:
            g.began = time.perf_counter()
            clear_contextvars()  # the thread has served other requests
            bind_contextvars(request_id=request_id(), **_trace())
            self.metrics.request_began()

        @app.after_request
        def _finish(response: Response) -> Response:
            began, line = g.began, self._line(response)
            level = self._level(response.status_code, g.get("error_code"))

            def ended() -> None:
                seconds = time.perf_counter() - began
                self.metrics.request_ended(line["route"], line["status"], seconds)
                _log.log(level, "request", extra=line | {"duration_seconds": round(seconds, 6)})

            response.direct_passthrough = False  # otherwise the end of a file is not noticed
            response.call_on_close(ended)
            return response

    def _line(self, response: Response) -> dict[str, Any]:
        """The fields of a request's log line. The query is left out: it may hold a pattern."""
        line: dict[str, Any] = {
            "method": request.method[:20],
            "path": request.path[:MAX_PATH_CHARACTERS],
            "route": str(request.url_rule) if request.url_rule else "none",
            "status": response.status_code,
        }
        code: ErrorCode | None = g.get("error_code")
        if code is not None:
            line["code"] = code
        if code in REFUSALS:
            line["address"] = g.get("address", request.remote_addr)
        return line

    def _level(self, status: int, code: ErrorCode | None) -> int:
        if code in REFUSALS:
            return self.rejections.level(code)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return logging.WARNING
        quiet = request.path in PROBES or request.endpoint in _QUIET
        return logging.DEBUG if quiet else logging.INFO

    def _routes(self) -> Blueprint:
        blueprint = Blueprint("ops", __name__)

        @blueprint.get("/livez")
        def livez() -> Response:
            return json_response({"status": "pass"}, mimetype=HEALTH_JSON)

        @blueprint.get("/readyz")
        def readyz() -> Response:
            body = self.health.report(self.parts, verbose="verbose" in request.args)
            failed = body["status"] == "fail"
            status = HTTPStatus.SERVICE_UNAVAILABLE if failed else HTTPStatus.OK
            return json_response(body, status, mimetype=HEALTH_JSON)

        @blueprint.get("/metrics")
        def metrics() -> Response:
            self._metrics_gate()
            text, content_type = self.metrics.exposition(request.headers.get("Accept", ""))
            return Response(text, content_type=content_type)

        return blueprint


def _trace() -> dict[str, str]:
    """The IDs of the caller's trace, if it sends valid ones."""
    found = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    return found.groupdict() if found else {}
