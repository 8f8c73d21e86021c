"""Answers: what the command line and REST both say, built from one view of each dataset.

Builders are pure: views in, bodies out. Bodies name transactions by txid, outputs by txid:n and addresses by
their text; dense ids never leave. `shapes.py` is the contract of every body.
"""
