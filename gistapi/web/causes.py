"""The causes of errors, for the operator's log; answers omit them."""

from __future__ import annotations

import logging
import re

MAX_CAUSES = 5
MAX_CAUSE_CHARACTERS = 300
# Credentials in a URL, and the names of users: neither belongs in the log.
_SECRET = re.compile(r"(//)[^/\s@]+(?=@)|(?<=/)((?:users|orgs)/)[^/?\s]+")

_log = logging.getLogger(__name__)


def log_causes(error: BaseException, code: str) -> None:
    """Log an error with the errors that caused it, each with its class and message."""
    causes: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < MAX_CAUSES:
        words = f"{type(cause).__name__}: {cause}"
        words = _SECRET.sub(lambda found: f"{found[1] or found[2]}…", words)
        causes.append(words[:MAX_CAUSE_CHARACTERS])
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    _log.warning("request failed", extra={"code": code, "causes": causes})
