"""From the rows of a pack to keys of addresses: which chain a row is of, and whether its address is one.

- `BTC`, `XBT`: Bitcoin. `ETH`, and tokens that are issued on Ethereum where the address begins with 0x: Ethereum.
- Where a row has a `network`, that decides, not the currency.
- Everything else is kept as text, "not covered": other chains' addresses look alike and mean something else.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from api.labels.pack import Pack, RowError, text_of
from chain.bitcoin import address as bitcoin
from chain.bitcoin.network import Network
from chain.errors import AddressError
from chain.ethereum import address as ethereum
from chain.model import ADDRESS_KEY_WIDTH, U8
from chain.store.labels import CHAINS, NOT_COVERED, Claim, LabelRows

BITCOIN = frozenset({"BTC", "XBT", "BITCOIN"})
ETHEREUM = frozenset({"ETH", "ETHEREUM"})
ETHEREUM_TOKENS = frozenset({"USDT", "USDC", "DAI", "WETH", "WBTC", "TUSD", "USDP", "PAX", "GUSD"})
"""Assets of other chains too; their addresses of 0x and 40 digits without a network are read as Ethereum's."""

EXPLAINED = 1_000
"""Refused Bitcoin addresses of one file that get the exact reason, which takes far longer than to refuse them."""

_BTC, _ETH = CHAINS.index("btc"), CHAINS.index("eth")
_TOKEN = len(CHAINS)
"""Ethereum where the address begins with 0x."""


def chain_code(claim: Claim) -> int:
    """A place in CHAINS, _TOKEN where the address decides, or NOT_COVERED."""
    name = (claim.network or claim.currency).upper()
    if name in BITCOIN:
        return _BTC
    if name in ETHEREUM:
        return _ETH
    return _TOKEN if claim.network is None and name in ETHEREUM_TOKENS else NOT_COVERED


def keyed(pack: Pack, network: Network) -> LabelRows:
    """The rows of a pack with the keys of their addresses; what is no address is added to `pack.rejects`."""
    claim = np.array(pack.claim, np.int32)
    chain = (
        np.array([chain_code(each) for each in pack.claims], np.int8)[claim] if len(claim) else claim.astype(np.int8)
    )
    for row in np.flatnonzero(chain == _TOKEN).tolist():
        chain[row] = _ETH if pack.address[row][:2] == "0x" else NOT_COVERED
    keys = np.zeros((len(claim), ADDRESS_KEY_WIDTH), np.uint8)
    sizes = np.zeros(len(claim), np.uint8)
    reasons: dict[int, str] = {}
    _bitcoin(pack, np.flatnonzero(chain == _BTC), network, keys, sizes, reasons)
    for row in np.flatnonzero(chain == _ETH).tolist():
        try:
            keys[row, : ethereum.ADDRESS_SIZE] = np.frombuffer(ethereum.decode(pack.address[row]), np.uint8)
            sizes[row] = ethereum.ADDRESS_SIZE
        except AddressError as error:
            reasons[row] = str(error)
    for row in np.flatnonzero(chain == NOT_COVERED).tolist():
        try:
            text_of("address", pack.address[row])
        except RowError as error:
            reasons[row] = str(error)
    return _kept(pack, claim, chain, keys, sizes, reasons)


def _bitcoin(
    pack: Pack, rows: npt.NDArray[np.int64], network: Network, keys: U8, sizes: U8, reasons: dict[int, str]
) -> None:
    texts = [pack.address[row].encode("utf-8", "surrogatepass") for row in rows.tolist()]
    lengths = np.array([len(text) for text in texts], np.int64)
    flat = np.frombuffer(b"".join(texts), np.uint8)
    keys[rows], sizes[rows] = bitcoin.decode_many(flat, np.cumsum(lengths) - lengths, lengths, network)
    for count, row in enumerate(rows[sizes[rows] == 0].tolist()):
        reasons[row] = f"not an address of Bitcoin's {network.name} network"
        if count < EXPLAINED:
            try:
                bitcoin.decode(pack.address[row], network)
            except AddressError as error:
                reasons[row] = str(error)


def _kept(
    pack: Pack,
    claim: npt.NDArray[np.int32],
    chain: npt.NDArray[np.int8],
    keys: U8,
    sizes: U8,
    reasons: dict[int, str],
) -> LabelRows:
    for row, reason in sorted(reasons.items()):
        pack.reject(pack.place[row], f"address: {reason}")
    keep = np.ones(len(claim), np.bool_)
    keep[list(reasons)] = False
    rows = np.flatnonzero(keep).tolist()
    place = np.array(pack.place, np.int32)
    return LabelRows(
        place[keep], claim[keep], chain[keep], [pack.address[row] for row in rows], keys[keep], sizes[keep]
    )
