"""Tests of gistapi.search."""
