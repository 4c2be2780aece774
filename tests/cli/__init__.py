"""Tests of gistapi.cli."""
