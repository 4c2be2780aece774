"""Tests of gistapi: one file a module, and end-to-end."""
