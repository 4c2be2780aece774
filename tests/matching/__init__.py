"""Tests of gistapi.matching."""
