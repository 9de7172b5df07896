"""Attacks: one file each, with the idea and the procedure on top."""
