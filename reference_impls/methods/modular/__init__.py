"""Modular."""
