"""Who acts in a transaction, which is not always who sends it.

Of ERC-4337 it is the account of each user operation: the sender is a bundler, the fee may be a paymaster's. Of EIP-7702
it is each account that signed an authorization: the sender may be a sponsor. Sharing a bundler, a paymaster, a sponsor
or a delegate's code says nothing about who has the keys (research catalogue 2).

How it fails. Relays of other kinds (meta-transactions, solvers of intents) leave no mark that is known here: their
sender is taken for the actor. An authorization may not have counted, for its nonce was wrong; it was signed all the
same. A user operation that failed was acted too.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

import numpy as np

from chain.ethereum.model import Movement
from chain.model import Bool
from clustering.ethereum.ledger import NOBODY, EthereumLedger

Name = TypeVar("Name", bound=Hashable)

_BY_THEMSELVES = (Movement.OPERATED, Movement.DELEGATED)


def actors(sender: Name | None, acts: Iterable[tuple[Movement, Name]]) -> list[Name]:
    """The actors of one transaction, each once, in order; `acts`: kind and who did it. The sender where there is no
    other, or none where no source states it."""
    own = [who for kind, who in acts if kind in _BY_THEMSELVES]
    return list(dict.fromkeys(own)) or ([] if sender is None else [sender])


def have_acted(ledger: EthereumLedger, address_count: int) -> Bool:
    """[address_count] Who acted in any transaction, so somebody has a key to it. Who sends for others counts too: it
    has a key of its own."""
    acted = np.zeros(address_count, np.bool_)
    acted[ledger.tx_from[ledger.tx_from != NOBODY]] = True
    rows = np.isin(ledger.act_kind, _BY_THEMSELVES) & (ledger.act_from != NOBODY)
    acted[ledger.act_from[rows]] = True
    return acted
