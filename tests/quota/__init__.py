"""Tests of gistapi.quota."""
