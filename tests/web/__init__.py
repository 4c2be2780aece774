"""Tests of gistapi.web, most of them with a searcher that yields given events."""
