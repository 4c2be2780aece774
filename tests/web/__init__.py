"""Tests of the web part, against a searcher that yields what a test wants."""
