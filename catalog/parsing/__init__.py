"""Untrusted YAML and JSON -> values with places, or problems."""
