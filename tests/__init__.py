"""Tests of gistapi, by package as the code."""
