"""github/git."""
