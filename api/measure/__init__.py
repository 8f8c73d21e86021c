"""Measuring what clustering gets right: field, emulated and simulated chains, and the tables."""
