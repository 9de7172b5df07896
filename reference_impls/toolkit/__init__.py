"""All that a method, task, attack or metric may import."""
