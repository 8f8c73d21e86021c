"""The readable twin of the kernel: one transaction, every form in the words of `classes.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chain.model import UNKNOWN, OutputType, Signing
from clustering.bitcoin.coinjoin import parameters as p
from clustering.bitcoin.coinjoin.classes import CoinjoinClass


@dataclass(frozen=True, slots=True)
class Side:
    """An input (with what it spends) or an output."""

    address: int
    """-1 where there is none or it is not known"""
    value: int
    """satoshi, UNKNOWN where it is not stated"""
    type: OutputType = OutputType.P2WPKH


@dataclass(frozen=True, slots=True)
class Shape:
    """What the forms look at in a transaction."""

    inputs: Sequence[Side]
    outputs: Sequence[Side]
    signing: Signing = Signing.UNSTATED
    time: int = p.JOINMARKET_START
    parents: Sequence[Shape | None] = ()
    """What each input spends from, None where it is not at hand."""

    @property
    def addresses(self) -> set[int]:
        """Known addresses of the inputs."""
        return {each.address for each in self.inputs if each.address >= 0}

    @property
    def spendable(self) -> list[Side]:
        return [each for each in self.outputs if each.type != OutputType.OP_RETURN]

    @property
    def values(self) -> list[int]:
        """Known values of the spendable outputs."""
        return [each.value for each in self.spendable if each.value != UNKNOWN]

    @property
    def pays_different_addresses(self) -> bool:
        known = [each.address for each in self.spendable if each.address >= 0]
        return len(set(known)) == len(known)

    def groups(self) -> list[int]:
        """What each address brings; an input without a known address stands by itself."""
        sums: Counter[int] = Counter()
        for place, each in enumerate(self.inputs):
            sums[each.address if each.address >= 0 else -1 - place] += each.value
        return sorted(sums.values())

    @property
    def all_values_known(self) -> bool:
        return all(each.value != UNKNOWN for each in (*self.inputs, *self.outputs))

    @property
    def fee(self) -> int:
        return sum(each.value for each in self.inputs) - sum(each.value for each in self.outputs)


def reference(tx: Shape) -> CoinjoinClass:
    """The class of a transaction: the first of the forms that it has, in the order of precedence."""
    if len(tx.addresses) < 2:
        return CoinjoinClass.TX0 if tx0_pools(tx) else CoinjoinClass.NONE
    if whirlpool_pool(tx) is not None:
        return CoinjoinClass.WHIRLPOOL_LINEAGE if lineage(tx) else CoinjoinClass.WHIRLPOOL
    if is_wabisabi(tx):
        return CoinjoinClass.WABISABI
    if (wasabi := wasabi_1(tx)) is not None:
        return wasabi
    if tx.signing == Signing.ANYONECANPAY:
        return CoinjoinClass.ANYONECANPAY
    if tx0_pools(tx):
        return CoinjoinClass.TX0
    if is_joinmarket(tx):
        return CoinjoinClass.JOINMARKET
    if is_stonewall(tx):
        return CoinjoinClass.STONEWALL
    if is_structural(tx):
        return CoinjoinClass.STRUCTURAL
    if is_payjoin(tx):
        return CoinjoinClass.PAYJOIN
    if is_possible(tx):
        return CoinjoinClass.POSSIBLE
    return CoinjoinClass.NONE


def _all_of(sides: Iterable[Side], *types: OutputType) -> bool:
    """Whether all have one of `types`; a type that is not stated contradicts nothing."""
    return all(each.type in (*types, OutputType.UNSTATED) for each in sides)


def whirlpool_pool(tx: Shape) -> int | None:
    """The denomination of the pool that a mix is of."""
    count = len(tx.inputs)
    if not p.WHIRLPOOL_LEAST <= count <= p.WHIRLPOOL_MOST or len(tx.outputs) != count or len(tx.spendable) != count:
        return None
    values = {each.value for each in tx.outputs}
    pools = {int(pool) for pool, _ in p.WHIRLPOOL_POOLS}
    known = [each.address for each in tx.inputs if each.address >= 0]
    if len(values) > 1 or not values <= pools or not tx.pays_different_addresses or len(set(known)) < len(known):
        return None
    denomination = values.pop()
    more = [each.value - denomination for each in tx.inputs]
    entrants = [each for each in more if each != 0]
    fits = all(p.PREMIX_LEAST <= each <= p.PREMIX_MOST for each in entrants)
    return denomination if entrants and fits else None


def lineage(tx: Shape) -> bool:
    """Whether every input of a mix comes from where it must: a new entrant from a Tx0, the others from a mix."""
    pool = whirlpool_pool(tx)
    if len(tx.parents) != len(tx.inputs) or any(parent is None for parent in tx.parents):
        return False
    for spent, parent in zip(tx.inputs, tx.parents, strict=True):
        assert parent is not None
        entrant = spent.value != pool
        if pool not in tx0_pools(parent) if entrant else whirlpool_pool(parent) != pool:
            return False
    return True


def tx0_pools(tx: Shape) -> set[int]:
    """The denominations of the pools that a Tx0 may enter."""
    spendable, counts = tx.spendable, Counter(tx.values)
    if not tx.inputs or len(tx.outputs) - len(spendable) != 1 or not _all_of(spendable, OutputType.P2WPKH):
        return set()
    found = set()
    for denomination, fee in p.WHIRLPOOL_POOLS.tolist():
        for value, count in counts.items():
            premix = p.PREMIX_LEAST <= value - denomination <= p.PREMIX_MOST and count <= p.TX0_PREMIX_MOST
            fees = [x for x in counts if x != value and fee // p.TX0_FEE_HALF <= x <= fee * p.TX0_FEE_TIMES]
            if premix and count >= len(spendable) - p.TX0_OTHERS and fees:
                found.add(denomination)
    return found


def is_wabisabi(tx: Shape) -> bool:
    counts = Counter(tx.values)
    standard = [value for value in counts if value in set(p.WABISABI_DENOMINATIONS.tolist())]
    repeated = [value for value in standard if counts[value] > 1]
    return (
        len(tx.addresses) >= p.WABISABI_ADDRESSES
        and len(tx.spendable) == len(tx.outputs)
        and _all_of([*tx.inputs, *tx.outputs], OutputType.P2WPKH, OutputType.P2TR)
        and tx.pays_different_addresses
        and all(value >= p.WABISABI_LEAST for value in counts)
        and 2 * sum(counts[value] for value in standard) >= len(tx.outputs) - 1
        and len(repeated) >= p.WABISABI_REPEATED
        and any(value % p.WABISABI_LEAST for value in repeated)
    )


def wasabi_1(tx: Shape) -> CoinjoinClass | None:
    if len(tx.inputs) < p.WASABI_1_INPUTS or len(tx.spendable) < len(tx.outputs) or not tx.pays_different_addresses:
        return None
    if not _all_of([*tx.inputs, *tx.outputs], OutputType.P2WPKH):
        return None
    counts, addresses = Counter(tx.values), len(tx.addresses)
    for value, parties in sorted(counts.items()):
        in_band = any(low <= value <= high for low, high in p.WASABI_1_BANDS)
        if not in_band or parties < p.WASABI_1_PARTIES:
            continue
        if not parties <= addresses <= p.WASABI_1_ADDRESSES_EACH * parties:
            continue
        levels = [count for other, count in counts.items() if _doublings(value, other) and count > 1]
        mixed = parties + sum(levels)
        if 2 * mixed >= len(tx.outputs) - 1 or mixed >= len(tx.outputs) - addresses - 1:
            return CoinjoinClass.WASABI_1_1 if levels else CoinjoinClass.WASABI_1_0
    return None


def _doublings(value: int, other: int) -> bool:
    """Whether `other` is `value` doubled once or more."""
    times, rest = divmod(other, value)
    return rest == 0 and times > 1 and times & (times - 1) == 0


def is_joinmarket(tx: Shape) -> bool:
    outputs = len(tx.spendable)
    if outputs != len(tx.outputs) or tx.time < p.JOINMARKET_START or not tx.pays_different_addresses:
        return False
    for value, parties in Counter(tx.values).items():
        if value <= p.JOINMARKET_DUST or not p.JOINMARKET_PARTIES <= parties <= len(tx.addresses):
            continue
        many = len(tx.inputs) >= p.JOINMARKET_MANY_INPUTS
        few_each = len(tx.inputs) <= p.JOINMARKET_INPUTS_EACH * parties
        enough_outputs = 10 * outputs >= p.JOINMARKET_TENTHS_OUTPUTS_EACH * parties
        if outputs <= 2 * parties < 2 * outputs and (not many or (few_each and enough_outputs)):
            return True
    return False


def is_structural(tx: Shape) -> bool:
    """BlockSci's rule; like it, over all outputs. That two sides can pay is asked beyond it."""
    participants = (len(tx.outputs) + 1) // 2
    if len(tx.outputs) < p.MIN_OUTPUTS or participants > len(tx.addresses):
        return False
    counts = Counter(each.value for each in tx.outputs if each.value != UNKNOWN)
    equal = [value for value, count in counts.items() if count == participants and value not in p.DUST_VALUES]
    return any(two_can_pay(tx, value) for value in equal)


def two_can_pay(tx: Shape, value: int) -> bool:
    """Whether the inputs can be parted into two sides that can pay `value` each, less the fee.

    Where the greatest address alone can, the others must together. Where it cannot, two sides are taken to exist:
    to tell exactly is the partition problem, and a doubt keeps addresses apart.
    """
    if not tx.all_values_known:
        return True
    groups, least = tx.groups(), value - tx.fee
    return sum(groups[:-1]) >= least if groups[-1] >= least else True


def is_stonewall(tx: Shape) -> bool:
    counts = Counter(tx.values)
    twice = [value for value, count in counts.items() if count == 2]
    return (
        len(tx.spendable) in p.STONEWALL_OUTPUTS
        and len(tx.values) == len(tx.spendable)
        and tx.pays_different_addresses
        and len(twice) == 1
        and max(counts.values()) == 2
        and twice[0] > p.STONEWALL_LEAST
        and two_can_pay(tx, twice[0])
    )


def is_payjoin(tx: Shape) -> bool:
    if len(tx.spendable) != p.PAYJOIN_OUTPUTS or not tx.all_values_known:
        return False
    needed = sum(tx.groups()[1:])
    return needed >= max(tx.values) + tx.fee


def is_possible(tx: Shape) -> bool:
    own = tx.addresses
    counts = Counter(each.value for each in tx.spendable if each.address not in own and each.value != UNKNOWN)
    return any(count > 1 and two_can_pay(tx, value) for value, count in counts.items())
