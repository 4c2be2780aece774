"""The target of a request: the spelling of its path, and the host names that are accepted."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flask import Flask, request
from werkzeug.exceptions import NotFound

from gistapi.web.error_table import InvalidRequestError
from gistapi.web.operations.probes import PROBES

_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
# A proxy in front may forbid paths. Every path has one spelling, so that no other bypasses it.
_OTHER_SPELLING = re.compile(r"//|%|\\|/\.|[^/]/$")


def init_app(app: Flask, allowed_hosts: Sequence[str]) -> None:
    """Refuse other spellings of paths, requests without one `Host`, and other host names.

    Without `allowed_hosts`, every host name is allowed.
    """
    allowed = {name.lower() for name in allowed_hosts}

    @app.before_request
    def _check() -> None:
        path = str(request.environ.get("REQUEST_URI") or request.environ["PATH_INFO"])
        if _OTHER_SPELLING.search(path.partition("?")[0]):
            raise NotFound
        host = _HOST.fullmatch(request.environ.get("HTTP_HOST", ""))
        if host is None:
            raise InvalidRequestError("Send exactly one valid Host header.")
        name = host["name"].lower()
        if allowed and name.strip("[]") not in allowed and request.path not in PROBES:
            raise InvalidRequestError(
                f"This service does not answer to the host name {name[:100]}."
                " Its operator can add it to GISTAPI_ALLOWED_HOSTS."
            )
