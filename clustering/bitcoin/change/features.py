"""The features of change: rules that each name, at most, one output of a transaction as its payer's change.

Definitions and rates: Möser and Narayanan, Resurrecting Address Clustering in Bitcoin, Financial Cryptography 2022,
and the notebooks of maltemoeser/dissertation-code; the rules themselves are older (each with its source below).
Their ground truth: 35,257,428 transactions up to height 689,256 with two outputs, both spent, no output to an input's
address, and exactly one output found by later co-spend in the inputs' cluster; collapsed clusters left out.
`precision` is the share that was right among those in which a rule named one output, `coverage` the share of the ground
truth in which it did.

How they fail. The ground truth knows only wallets that spend their change together with other coins: of it 39 % has
one input, of the transactions that want an answer 78.8 %. Between services the best published classifier falls from an
AUC of 0.9986 to 0.9757. Whoever pays itself has two outputs of change, and none of these rules can say so. Nothing was
measured after July 2021: taproot, batched payments and marketplace sales move every rate. Joining by one such rule
collapses: Meiklejohn's rule leaves 97 to 108 of 273 tagged services apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import cache
from types import MappingProxyType

from clustering.levels import MILLION, lower_bound


class Feature(IntEnum):
    """A rule, and its column in an array of votes. Append only: fitted weights are kept by number."""

    SHADOW = 0
    MEIKLEJOHN = 1
    OPTIMAL = 2
    OPTIMAL_FEE = 3
    ROUND_VALUE = 4
    ADDRESS_TYPE = 5
    PEELING = 6
    VERSION = 7
    LOCK_TIME = 8
    RBF = 9
    SEGWIT = 10
    SEGWIT_COMPATIBLE = 11
    BIP69 = 12
    TYPE_SET = 13
    IN_OUT_COUNT = 14
    OUT_COUNT = 15
    ZERO_CONF = 16


FEATURES = len(Feature)

FIRST_FINGERPRINT = int(Feature.VERSION)
"""From here on a feature compares a transaction with those that spend its outputs, and needs both of them."""


class Family(StrEnum):
    """Features that say much the same; of a family only the strongest vote counts."""

    FRESH = "first use of the address"
    VALUE = "amounts"
    TYPE = "script types and segwit"
    PATTERN = "chain of payments"
    VERSION = "version"
    LOCK_TIME = "lock time"
    RBF = "replaceability"
    ORDER = "order of inputs and outputs"
    COUNT = "number of inputs and outputs"
    CONFIRMATION = "spending before confirmation"


PUBLISHED = (
    "field, published: Möser and Narayanan, FC 2022, 35,257,428 two-output transactions up to height 689,256 whose "
    "change later co-spend told"
)
GROUND_TRUTH = 35_257_428
LAST_MEASURED_HEIGHT = 689_256


@dataclass(frozen=True, slots=True)
class FeatureFacts:
    """What an answer says of a feature beside its vote."""

    name: str
    claim: str
    """What names an output; it votes only where exactly one output is named."""
    family: Family
    precision_ppm: int | None
    """None: no source gives a rate, and the vote weighs nothing."""
    coverage_ppm: int | None
    weight: int
    """Milli-nats: 1,000 ln(p / (1 - p)) of the published precision, rounded."""
    measured: str
    """Where precision and coverage were measured."""
    source: str
    """Of the rule."""

    @property
    def trials(self) -> int | None:
        """Transactions of the ground truth in which the rule named an output, at least: the coverage is rounded."""
        return None if self.coverage_ppm is None else GROUND_TRUTH * (self.coverage_ppm - 500) // MILLION

    @property
    def lower_ppm(self) -> int | None:
        """Lower 95 % bound of the precision, at its worst rounding; None where no number of trials is published."""
        if self.precision_ppm is None or self.trials is None:
            return None
        return _lower(self.trials * (self.precision_ppm - 50) // MILLION, self.trials)


_lower = cache(lower_bound)


MOSER = "Möser and Narayanan, FC 2022"
BLOCKSCI = "Kalodner et al., BlockSci, USENIX Security 2020"

FACTS: Mapping[Feature, FeatureFacts] = MappingProxyType(
    {
        Feature.SHADOW: FeatureFacts(
            "shadow", "Of two outputs, the one to an address that the chain had not seen before.",
            Family.FRESH, 959_800, 573_000, 3_173, PUBLISHED, "Androulaki et al., FC 2013",
        ),
        Feature.MEIKLEJOHN: FeatureFacts(
            "Meiklejohn, local", "The only output to a new address, where no output returns to an input's address.",
            Family.FRESH, 959_800, 573_000, 3_173, PUBLISHED, "Meiklejohn et al., IMC 2013, heuristic 2",
        ),
        Feature.OPTIMAL: FeatureFacts(
            "optimal change", "The output smaller than every input: otherwise an input was not needed.",
            Family.VALUE, 920_800, 332_000, 2_453, PUBLISHED, "Nick 2015",
        ),
        Feature.OPTIMAL_FEE: FeatureFacts(
            "optimal change with fee", "The output smaller than every input less the fee.",
            Family.VALUE, 922_000, 259_000, 2_470, PUBLISHED, BLOCKSCI,
        ),
        Feature.ROUND_VALUE: FeatureFacts(
            "round value", "The output whose value is no multiple of a power of ten, from 10^2 to 10^7 satoshi, of "
            "which the other output's value is one.",
            Family.VALUE, 970_800, 539_000, 3_504, PUBLISHED, BLOCKSCI,
        ),
        Feature.ADDRESS_TYPE: FeatureFacts(
            "address type", "The output of the script type that all inputs have.",
            Family.TYPE, 885_800, 268_000, 2_049, PUBLISHED, BLOCKSCI,
        ),
        Feature.PEELING: FeatureFacts(
            "peeling chain", "Of a transaction of one input and two outputs whose parent or child is such, the output "
            "that is unspent or whose spender is such.",
            Family.PATTERN, None, None, 0, "no published rate", BLOCKSCI,
        ),
        Feature.VERSION: FeatureFacts(
            "fingerprint: version", "The output whose spender has a version above 1, or not, as this transaction.",
            Family.VERSION, 984_900, 249_000, 4_178, PUBLISHED, MOSER,
        ),
        Feature.LOCK_TIME: FeatureFacts(
            "fingerprint: lock time", "The output whose spender has a lock time of its class (none, height, time).",
            Family.LOCK_TIME, 990_500, 310_000, 4_647, PUBLISHED, MOSER,
        ),
        Feature.RBF: FeatureFacts(
            "fingerprint: replaceable", "The output whose spender signals replaceability (BIP 125), or not, likewise.",
            Family.RBF, 965_400, 78_000, 3_329, PUBLISHED, MOSER,
        ),
        Feature.SEGWIT: FeatureFacts(
            "fingerprint: segwit", "The output whose spender has a witness, or not, as this transaction.",
            Family.TYPE, 901_200, 212_000, 2_211, PUBLISHED, MOSER,
        ),
        Feature.SEGWIT_COMPATIBLE: FeatureFacts(
            "fingerprint: wrapped segwit", "The output whose spender spends segwit wrapped in P2SH, or not, likewise.",
            Family.TYPE, 965_600, 22_000, 3_335, PUBLISHED, MOSER,
        ),
        Feature.BIP69: FeatureFacts(
            "fingerprint: BIP 69", "The output whose spender orders its inputs and outputs as BIP 69 says, or not, "
            "likewise.",
            Family.ORDER, 832_000, 315_000, 1_600, PUBLISHED, MOSER,
        ),
        Feature.TYPE_SET: FeatureFacts(
            "fingerprint: set of types", "The output whose spender spends coins of the same set of script types.",
            Family.TYPE, 927_800, 317_000, 2_553, PUBLISHED, MOSER,
        ),
        Feature.IN_OUT_COUNT: FeatureFacts(
            "fingerprint: inputs and outputs", "The output whose spender has as many inputs and outputs (1, 2, more).",
            Family.COUNT, 710_000, 370_000, 895, PUBLISHED, MOSER,
        ),
        Feature.OUT_COUNT: FeatureFacts(
            "fingerprint: outputs", "The output whose spender has two outputs as well.",
            Family.COUNT, 686_500, 413_000, 784, PUBLISHED, MOSER,
        ),
        Feature.ZERO_CONF: FeatureFacts(
            "fingerprint: unconfirmed", "The output whose spender spends a coin of its own block, or not, likewise.",
            Family.CONFIRMATION, 621_100, None, 494,
            PUBLISHED + "; of its rates of true (0.100) and false (0.061) positives", MOSER,
        ),
    }
)  # fmt: skip
"""Every feature that can stand in an answer."""


class Convention(IntEnum):
    """What makes an output change by the conventions of L0: bits. No lead, and no feature of the model."""

    SELF = 1
    """It pays an address that the inputs spend from (0 errors of 1,636 ransomware and 117,421 service payments)."""
    CLUSTER = 2
    """It pays an address that co-spend joins with one of the inputs."""
