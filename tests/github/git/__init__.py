"""Tests of gistapi.github.git."""
