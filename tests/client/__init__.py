"""Tests of gistapi.client."""
