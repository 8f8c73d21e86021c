"""The classes: what each says, its form and parameters in words, where it is from, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType


class CoinjoinClass(IntEnum):
    """What form of coinjoin, or of what looks like one, a transaction has. The number is stored: append only."""

    NONE = 0
    STRUCTURAL = 1
    JOINMARKET = 2
    WASABI_1_0 = 3
    WASABI_1_1 = 4
    WABISABI = 5
    WHIRLPOOL = 6
    """A mix by its form only."""
    WHIRLPOOL_LINEAGE = 7
    """A mix all of whose inputs come from a Tx0 or a mix of the same pool that are at hand."""
    TX0 = 8
    STONEWALL = 9
    PAYJOIN = 10
    POSSIBLE = 11
    ANYONECANPAY = 12


class Kind(StrEnum):
    """What follows from a class."""

    NONE = "none"
    COINJOIN = "coinjoin"
    """Several parties spend together, by a protocol's form."""
    AMBIGUOUS = "ambiguous"
    """Two parties can make the form as well as one."""
    SINGLE_PARTY = "single party"
    """The form looks like several parties and is one's."""


EFFECTS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.NONE: "its inputs may be linked by co-spend",
        Kind.COINJOIN: "it joins no addresses: several parties spend together",
        Kind.AMBIGUOUS: "it joins no addresses: two parties can make this form as well as one",
        Kind.SINGLE_PARTY: "its inputs may be linked by co-spend: one party makes this form alone",
    }
)


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """What an answer says of a class."""

    name: str
    kind: Kind
    protocol: str
    form: str
    """What a transaction must look like."""
    parameters: str
    source: str
    fails: str
    lineage: str | None = None
    """What the transactions before it say, for a class that asks for them."""

    @property
    def effect(self) -> str:
        return EFFECTS[self.kind]

    @property
    def joins(self) -> bool:
        """Whether co-spend may link the inputs."""
        return self.kind in (Kind.NONE, Kind.SINGLE_PARTY)


_WHIRLPOOL_FORM = (
    "As many outputs as inputs, all of one pool's denomination and to different addresses; every input has the "
    "denomination or little more, and at least one has more: who is new pays the fee."
)
_WHIRLPOOL_PARAMETERS = (
    "5 to 8 inputs; pools of 0.001, 0.01, 0.025, 0.05, 0.25 and 0.5 BTC; a new entrant brings 100 to 110,000 satoshi "
    "more"
)
_WHIRLPOOL_SOURCE = (
    "Samourai Whirlpool; Stütz, Stockinger et al., AFT 2022; rule and pools as in graphsense-lib and "
    "crocs-muni/coinjoin-analysis (0.025 and 0.25 BTC: Ashigaru, 2025)"
)
_WASABI_FORM = (
    "P2WPKH only, no OP_RETURN; one value between 0.045 and 0.055 or 0.08 and 0.12 BTC is paid to as many different "
    "addresses as there are parties, each of whom brings 1 to 7 addresses and takes at most one change"
)
_WASABI_SOURCE = (
    "ZeroLink, Wasabi Wallet 1.x; rule as in graphsense-lib #82, denominations as they stand in the transactions "
    "listed by crocs-muni/pets26_coinjoin_analysis (0.05 BTC until October 2018)"
)
_WASABI_PARAMETERS = (
    "at least 5 inputs and 3 equal outputs; equal outputs and levels are half of all, or all but a change each"
)

CLASSES: Mapping[CoinjoinClass, ClassFacts] = MappingProxyType(
    {
        CoinjoinClass.NONE: ClassFacts(
            "none", Kind.NONE, "none", "It has none of the forms below.", "",
            "clustering/bitcoin/coinjoin", "Payjoins that avoid an unnecessary input, channels that two parties "
            "fund and settlements between services look like one party's payments.",
        ),
        CoinjoinClass.STRUCTURAL: ClassFacts(
            "structural coinjoin", Kind.COINJOIN, "unnamed",
            "Of n outputs, one value that is not dust occurs exactly (n + 1) // 2 times, and as many addresses bring "
            "inputs: as many parties, each with one equal payment and at most one change. Here also: the inputs can be "
            "parted so that two sides pay it each.",
            "at least 2 inputs and 3 outputs; dust is 546 and 2,730 satoshi",
            "BlockSci isCoinjoin (Kalodner et al., USENIX Security 2020; src/heuristics/tx_identification.cpp)",
            "A payer of equal sums from as many own addresses (a payroll) has the same form and loses its links.",
        ),
        CoinjoinClass.JOINMARKET: ClassFacts(
            "JoinMarket", Kind.COINJOIN, "JoinMarket",
            "One value is paid to half of the outputs or more, each to a different address, at least one output is of "
            "another value, and no fewer addresses bring inputs than take the equal payment; no OP_RETURN.",
            "at least 3 equal payments above 2,730 satoshi; from 50 inputs on at most 20 inputs and at least 1.7 "
            "outputs an equal payment; 2015 or later",
            "graphsense-lib #82",
            "Batches of equal payments from many addresses have the form; two parties have the Stonewall form instead.",
        ),
        CoinjoinClass.WASABI_1_0: ClassFacts(
            "Wasabi 1.0", Kind.COINJOIN, "Wasabi Wallet 1.0", f"{_WASABI_FORM}.", _WASABI_PARAMETERS, _WASABI_SOURCE,
            "A JoinMarket round of about 0.05 or 0.1 BTC is named so.",
        ),
        CoinjoinClass.WASABI_1_1: ClassFacts(
            "Wasabi 1.1", Kind.COINJOIN, "Wasabi Wallet 1.1",
            f"{_WASABI_FORM}; values twice, four times ... as large occur twice or more.",
            _WASABI_PARAMETERS, _WASABI_SOURCE, "As Wasabi 1.0.",
        ),
        CoinjoinClass.WABISABI: ClassFacts(
            "WabiSabi", Kind.COINJOIN, "Wasabi Wallet 2 and others with WabiSabi",
            "P2WPKH and P2TR only, no OP_RETURN; half of the outputs or more have standard denominations (2^k, 3^k, "
            "2 * 3^k, and 1, 2, 5 times 10^k), several of which are paid more than once.",
            "inputs from at least 10 addresses; outputs of at least 5,000 satoshi to different addresses; at least 3 "
            "denominations paid more than once, one of them no multiple of 5,000",
            "Wasabi Wallet 2, WalletWasabi DenominationBuilder; Ziegler 2025 as cited by crocs-muni/coinjoin-analysis",
            "Rounds of fewer than 10 addresses or of other denominations are possible coinjoins only.",
        ),
        CoinjoinClass.WHIRLPOOL: ClassFacts(
            "Whirlpool mix", Kind.COINJOIN, "Whirlpool", _WHIRLPOOL_FORM, _WHIRLPOOL_PARAMETERS, _WHIRLPOOL_SOURCE,
            "The form alone could be made by one party.",
            "form only: not all transactions before it are at hand, or they are no Tx0 and mix of its pool",
        ),
        CoinjoinClass.WHIRLPOOL_LINEAGE: ClassFacts(
            "Whirlpool mix", Kind.COINJOIN, "Whirlpool", _WHIRLPOOL_FORM, _WHIRLPOOL_PARAMETERS, _WHIRLPOOL_SOURCE,
            "Tx0 and mixes before it are told by their form.",
            "lineage confirmed: each input of more than the denomination comes from a Tx0 of the pool and each other "
            "from a mix of it",
        ),
        CoinjoinClass.TX0: ClassFacts(
            "Whirlpool Tx0", Kind.SINGLE_PARTY, "Whirlpool",
            "One OP_RETURN; premix outputs of one value, a pool's denomination and little more; beside them at most "
            "two outputs, one of which is of the size of the pool's fee; all P2WPKH.",
            "1 to 70 premix outputs of 100 to 110,000 satoshi more than the denomination; a fee of half to three times "
            "5,000, 50,000, 87,500, 175,000, 875,000 or 1,750,000 satoshi",
            "Samourai Whirlpool; rule as in graphsense-lib and crocs-muni/coinjoin-analysis",
            "A payment of such a sum with an OP_RETURN has the form; as its inputs are linked in any case, nothing "
            "follows from that.",
        ),
        CoinjoinClass.STONEWALL: ClassFacts(
            "Stonewall form", Kind.AMBIGUOUS, "Stonewall, StonewallX2",
            "Of 3 or 4 outputs to different addresses exactly one value occurs twice, and the inputs can be parted so "
            "that each side pays it.",
            "inputs from at least 2 addresses; the value is above 5,000 satoshi",
            "Samourai Stonewall (one party) and StonewallX2 (two); rule as in graphsense-lib #82",
            "One party's Stonewall and any payment of two equal sums lose their links.",
        ),
        CoinjoinClass.PAYJOIN: ClassFacts(
            "payjoin form", Kind.AMBIGUOUS, "payjoin (BIP 78)",
            "Two outputs, and the inputs of some address are not needed: without them the rest still pays the greater "
            "output and the fee (unnecessary input heuristic 2).",
            "inputs from at least 2 addresses, all values known",
            "Ghesmati et al., 2022, for two inputs; here for any number",
            "Payjoins that avoid an unnecessary input are not seen; wallets that gather small coins lose their links.",
        ),
        CoinjoinClass.POSSIBLE: ClassFacts(
            "possible coinjoin", Kind.AMBIGUOUS, "unnamed",
            "Some value is paid twice or more to addresses that bring no input, and the inputs can be parted so that "
            "two sides pay it each.",
            "inputs from at least 2 addresses",
            "BlockSci isPossibleCoinjoin (src/heuristics/tx_identification.cpp); here two sides can pay where no exact "
            "test says that they cannot",
            "Batches with equal payments lose their links.",
        ),
        CoinjoinClass.ANYONECANPAY: ClassFacts(
            "open signature", Kind.AMBIGUOUS, "partially signed sales, crowdfunding",
            "A signature commits to its own input alone (SIGHASH_ANYONECANPAY): the others may be anyone's.",
            "two or more inputs; signatures told by their form (chain/bitcoin/sighash.py)",
            "Bitcoin Core script/interpreter.h; BIP 341; marketplaces of inscriptions sign so",
            "Nothing is known where the source has no signatures.",
        ),
    }
)  # fmt: skip
"""Every class. Where a transaction has several forms, `reference.py` says which counts."""
