"""Tests of gistapi.web.ui."""
