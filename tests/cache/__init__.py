"""The cache: one contract over all stores, and how each of them fails."""
