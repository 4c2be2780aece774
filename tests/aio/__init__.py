"""Tests of gistapi.aio."""
