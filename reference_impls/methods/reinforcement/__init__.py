"""Reinforcement."""
