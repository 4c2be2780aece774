"""Everything that knows GitHub: listings, downloads, limits."""
