"""Tests of gistapi.web.operations."""
