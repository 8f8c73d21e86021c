"""A generated Ethereum: real signed transactions in real blocks, and who did what to whom.

No machine executes anything: the agents say what their contracts log and pay, and the world keeps the books. Balances,
nonces, fees, roots and signatures are right; code, storage and the state root are not there.
"""
