"""Change as a lead: which output of a transaction probably went back to who made it. It joins nothing.

Features and their published quality: `features.py`; what each votes in a transaction: `votes.py` with `kernels.py` and
`fingerprint.py`; the additive model that weighs votes: `model.py`; weights and rates measured on ground truth:
`measure.py`.
"""
