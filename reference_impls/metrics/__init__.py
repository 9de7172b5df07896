"""Metrics: pure functions over log-probabilities and texts; inference is elsewhere."""
