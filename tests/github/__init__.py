"""Tests of what knows GitHub."""
