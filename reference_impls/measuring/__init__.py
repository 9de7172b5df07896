"""Asking a model what it knows, how far it is from the retrained one, and what that cost."""
