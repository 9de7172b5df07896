"""In context."""
