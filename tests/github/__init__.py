"""Tests of gistapi.github."""
