"""Gradient ascent."""
