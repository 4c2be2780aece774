"""Tests of gistapi.web.protection."""
