"""What operators ask: /livez, /readyz, /metrics; and what every request leaves behind."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from gistapi.events import Event
from gistapi.web.operations.health import Health, Parts
from gistapi.web.operations.metrics import Metrics
from gistapi.web.protection.headers import request_id
from gistapi.web.protection.rejections import RejectionLog

HEALTH_JSON = "application/health+json"
# Asked every few seconds by machines: a line for each would hide the others.
PROBES = {"/ping", "/livez", "/readyz", "/metrics"}
# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(
    r"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})(?P<trace_id>[0-9a-f]{32})"
    r"-(?!0{16})(?P<parent_id>[0-9a-f]{16})-[0-9a-f]{2}(-.*)?"
)

_log = logging.getLogger(__name__)


class Operation:
    """What operators may know of one application; `metrics_gate` raises for who may not."""

    def __init__(self, metrics_gate: Callable[[], None] = lambda: None) -> None:
        self.metrics = Metrics()
        self.refusals = RejectionLog(self.metrics.registry)
        self._metrics_gate = metrics_gate
        self.health = Health()
        self.parts: Parts | None = None

    def observe(self, event: Event) -> None:
        """Count and remember (an Observer)."""
        self.metrics.observe(event)
        self.health.observe(event)
        self.refusals.observe(event)

    def watch(self, parts: Parts) -> None:
        """Look at these whenever somebody asks."""
        self.parts = parts
        self.metrics.watch(
            searches=parts.searches,
            workers=parts.workers,
            cache_bytes=lambda: _number(parts.cache().size_bytes),
        )

    def init_app(self, app: Flask) -> None:
        """Answer the operators' addresses, and count and log every request."""
        app.register_blueprint(self._routes())
        app.after_request(self.refusals.after_request)

        @app.before_request
        def _begin() -> None:
            g.began = time.perf_counter()
            clear_contextvars()  # the thread has served others
            bind_contextvars(request_id=request_id(), **_trace())
            self.metrics.request_began()

        @app.after_request
        def _finish(response: Response) -> Response:
            route = str(request.url_rule) if request.url_rule else "none"
            began, status = g.began, response.status_code

            def ended() -> None:
                seconds = time.perf_counter() - began
                self.metrics.request_ended(route, status, seconds)
                level = logging.DEBUG if route in PROBES else logging.INFO
                told = {"route": route, "status": status, "duration_seconds": round(seconds, 6)}
                _log.log(level, "request", extra=told)

            response.direct_passthrough = False  # or nobody is told when a file is sent
            response.call_on_close(ended)
            return response

    def _routes(self) -> Blueprint:
        blueprint = Blueprint("ops", __name__)

        @blueprint.get("/livez")
        def livez() -> Response:
            return Response('{"status": "pass"}', mimetype=HEALTH_JSON)

        @blueprint.get("/readyz")
        def readyz() -> Response:
            body = self.health.report(self.parts, verbose="verbose" in request.args)
            failed = body["status"] == "fail"
            status = HTTPStatus.SERVICE_UNAVAILABLE if failed else HTTPStatus.OK
            return Response(json.dumps(body), status, mimetype=HEALTH_JSON)

        @blueprint.get("/metrics")
        def metrics() -> Response:
            self._metrics_gate()
            text, content_type = self.metrics.exposition(request.headers.get("Accept", ""))
            return Response(text, content_type=content_type)

        return blueprint


def _trace() -> dict[str, str]:
    """The ids of the caller's trace, where it sends valid ones."""
    found = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    return found.groupdict() if found else {}


def _number(size: int | None) -> float:
    return float("nan") if size is None else size
