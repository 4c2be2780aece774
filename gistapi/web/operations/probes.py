"""The paths that machines request every few seconds."""

from __future__ import annotations

PROBES = frozenset({"/ping", "/livez", "/readyz", "/metrics"})
"""Addresses and host names are not checked here: probes and scrapers bypass the proxy."""
