"""Relabeling."""
