"""Tests of gistapi.web.server."""
