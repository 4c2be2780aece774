"""web/protection."""
