"""Tests of the whole service: end to end, hostile input, memory, secrets."""
