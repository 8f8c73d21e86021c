"""Chains whose owners are known."""
