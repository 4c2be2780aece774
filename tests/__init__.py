"""Tests of gistapi, one folder for each package."""
