"""Gists read by git: fetch (dulwich over our client), clone (a child process reads the pack)."""
