"""Tests of the code itself: layout, imports, tooling."""
