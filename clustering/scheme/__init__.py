"""A scheme's deposit wallets together: who paid in, who was paid, and what each is short of."""
