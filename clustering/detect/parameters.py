"""Thresholds of token-sale detection, each with its source.

[A] research catalogue 5.1 (conditions S1 and S2); [E] rules of evidence 14; [W] chosen here, with the reason beside it.
"""

from __future__ import annotations

WINDOW_SECONDS = 90 * 86_400
"""A sale's purchases lie within so long; of a longer history the densest stretch is looked at [A]."""

LEAST_BUYERS = 30
"""Distinct beneficiaries of a sale [A]."""

LEAST_COVERED_PERCENT = 80
"""Of the transactions that pay the contract, so many must give the token [A]."""

FEW_TIERS = 5
"""So many prices may stand side by side (bonus by amount or by date) [A]."""

MOST_TIERS = 64
"""More prices than the few may follow each other where they only rise or only fall: The DAO had a price a day [E]."""

TIERED_PERCENT = 90
"""Purchases that the tiers must cover [A]."""

LEAST_IN_TIER = 3
"""Purchases at one price that make it a tier: two can meet by chance in a pool [W]."""

RATE_TOLERANCE = 1e-6
"""Relative difference of two rates that are one: dumps keep 12 digits; no pool gives one rate twice so exactly [W]."""

UNIT_TOLERANCE = 1.5
"""Base units that rounding may take from a purchase of a token with few decimals [W]."""

AGAINST_ORDER_PERCENT = 5
"""Purchases whose price may move against the direction of the others (blocks near a change of price) [W]."""

LEAST_STEP = 0.002
"""Median relative step between neighbouring prices of a long series. A vault's or staking share accrues a yield of at
most some 60 % a year, 0.17 % a day; The DAO stepped by 3 to 5 % a day [W]."""

SELL_BACK_PERCENT = 5
"""Holders' sales back to the contract, per purchases, above which it is a market or a redeemable claim [W]."""

ROUND_DIGITS = 6
ROUND_TOLERANCE = 1e-9
"""A price that somebody set has at most so many digits, as tokens per unit or as units per token (The DAO: 1.05 to
1.5); a share of a vault has more. One in 250 unround prices passes by chance [W]."""

PARITY_POWERS = (0, 2, -2, 10, -10, 12, -12)
"""Differences of the usual numbers of decimals (6, 8, 18): at these powers of ten a token paid with another is one for
one [W]. For ether 0 alone: 100 base units a wei were Bancor's price."""

FEE_PERCENT = 90
"""Purchases of one amount, from which on it may be a fee for a claim instead of a price [W]."""

LAUNCHPAD_TOKENS = 3
"""Tokens that one contract sells to many buyers each before it is a launchpad and no issuer's [W]."""

PROCEEDS_SECONDS = 7 * 86_400
"""What leaves the contract within so long after the last purchase counts as collected [A]."""

AGENT_BENEFICIARIES = 3
"""Distinct other people that a payer bought for, from which on it is listed as an agent [W]."""

TOP_BUYERS = 10
"""Buyers whose share of the tokens is the stated concentration."""

PRESALE_SENDERS = 50
PRESALE_SECONDS = 60 * 86_400
"""Distinct senders to a collection address, and the time that they lie within [A]."""

PRESALE_OUTFLOW_PERCENT = 10
"""Of what came in, so much may have left before the window ends: "low outflow" [A], the number [W]."""

PRESALE_SERVED_PERCENT = 60
"""Senders that one issuer later gives one token to [A]."""

PRESALE_SPEARMAN_PPM = 900_000
"""Least rank correlation of what was paid and what was given [A]."""

PRESALE_RETURNED_PERCENT = 50
"""Of what came in, so much may have gone back to senders: above, it was a deposit (a lock-up, a stake) or a refund,
and tokens given for it are a reward [W]."""

PRESALE_PARITY_PERCENT = 90
"""Served senders who got one base unit for one, from which on it is a bridge or a claim [W]."""

ROUND_UNIT = 10**17
ROUND_PERCENT = 50
"""A suspected collection: so many amounts are multiples of a tenth of an ether (round-number mass [A], numbers [W])."""
