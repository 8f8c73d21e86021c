"""Measuring what clustering gets right: field, emulated and simulated chains through the real readers, and the tables."""
