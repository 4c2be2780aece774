"""Gists read by git: `fetch` gets a pack through the client, `clone` has a child read it."""
