"""Model editing."""
