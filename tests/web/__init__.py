"""Tests of the web part, against a searcher that yields what it is told."""
