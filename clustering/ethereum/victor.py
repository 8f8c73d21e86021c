"""Victor's rules as published, to compare with: whom they would join. Nothing of this is ever stored or admitted.

Source: F. Victor, Address Clustering Heuristics for Ethereum, FC 2020. Three rules, each joins owners:
deposit-address reuse (all who pay one deposit address are one owner), multi-participation in airdrops (those who pass
one airdrop on to one address, and that address), self-authorisation (who approves an account that itself signs
transactions, and later has it spend).

How it fails. It is why EVIDENCE 1 was written: a broker's customers, other exchanges and the victims of one offender
pay one deposit address; a drainer is an account that victims approve. Its own evaluation had no ground truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chain.ethereum.model import Movement
from chain.model import I32, I64, Bool
from clustering.components import relabel
from clustering.ethereum.airdrops import forwarded_airdrops
from clustering.ethereum.deposits import matches
from clustering.ethereum.flows import Flows, accounts, flows
from clustering.ethereum.ledger import EthereumLedger

RULES = ("deposit-address reuse", "airdrop multi-participation", "self-authorisation")


@dataclass(frozen=True, slots=True)
class Joined:
    """What one rule, or all together, would make of n addresses."""

    rule: str
    labels: I32
    """[n] the smallest address id of each address' group"""

    @property
    def groups(self) -> int:
        """Groups of two or more."""
        return int(np.count_nonzero(np.bincount(self.labels) > 1))

    @property
    def addresses(self) -> int:
        """Addresses in them."""
        sizes = np.bincount(self.labels)
        return int(sizes[sizes > 1].sum())

    @property
    def largest(self) -> int:
        return int(np.bincount(self.labels).max(initial=0))


def victor(ledger: EthereumLedger, service: I32) -> list[Joined]:
    """Each rule alone, then all of them together; `service` [n]: the labelled service of each address, -1 for none."""
    found, own = flows(ledger), accounts(ledger, len(service))
    pairs = [
        _depositors(found, service, own.is_contract),
        _airdropped(found, service, own.is_contract),
        _authorised(ledger, found),
    ]
    every = tuple(np.concatenate([pair[side] for pair in pairs]) for side in range(2))
    names = [*RULES, "all together"]
    return [
        Joined(name, relabel(len(service), a.astype(np.int32), b.astype(np.int32)))
        for name, (a, b) in zip(names, [*pairs, every], strict=True)
    ]


def _depositors(found: Flows, service: I32, is_contract: Bool) -> tuple[I64, I64]:
    """Each payer of a deposit address with the first one of that address."""
    deposit, _ = matches(found, service, in_sets=False)
    user, account = found.source[deposit].astype(np.int64), found.target[deposit].astype(np.int64)
    paid = (service[user] < 0) & ~is_contract[user]
    user, account = user[paid], account[paid]
    _, first, place = np.unique(account, return_index=True, return_inverse=True)
    return user[first[place.reshape(-1)]], user


def _airdropped(found: Flows, service: I32, is_contract: Bool) -> tuple[I64, I64]:
    batch = forwarded_airdrops(found, service, is_contract)
    return batch.source.astype(np.int64), batch.target.astype(np.int64)


def _authorised(ledger: EthereumLedger, found: Flows) -> tuple[I64, I64]:
    """Who approved an account, and that account, where it has since spent of the approved token."""
    acts = np.flatnonzero((ledger.act_kind == Movement.APPROVED) & (ledger.act_from >= 0) & (ledger.act_to >= 0))
    key = np.stack((ledger.act_asset[acts], ledger.act_from[acts], ledger.act_to[acts])).astype(np.int64)
    spender = ledger.tx_from[found.tx]
    token = np.flatnonzero((found.kind == Movement.TOKEN) & (spender != found.source) & (spender >= 0))
    spent = np.stack((found.asset[token], found.source[token], spender[token])).astype(np.int64)
    both = np.unique(np.concatenate((key, spent), axis=1), axis=1, return_inverse=True)[1].reshape(-1)
    named, used = both[: len(acts)], both[len(acts) :]
    first = np.full(int(both.max(initial=-1)) + 1, np.iinfo(np.int64).max, np.int64)
    np.minimum.at(first, named, ledger.act_tx[acts])
    rows = np.flatnonzero(first[used] < found.tx[token])
    return spent[1][rows], spent[2][rows]
