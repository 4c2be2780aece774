"""The paths that machines request every few seconds."""

from __future__ import annotations

LIVENESS = frozenset({"/ping", "/livez"})
"""Answered from nothing but memory, on the server's event loop, even while no thread is free."""
PROBES = LIVENESS | {"/readyz", "/metrics"}
"""Addresses and host names are not checked here: probes and scrapers bypass the proxy."""
