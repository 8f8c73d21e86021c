"""What logs say was moved (ERC-20, ERC-721, ERC-1155, the wrapping of ether) or done (approvals, ERC-4337).

A contract writes whatever it likes into its logs: a `Transfer` is the token's own statement, and a counterfeit states
transfers of victims who did nothing. So a log moves its own contract's asset and nothing else, and what is done by whom
is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from chain.ethereum.builder import NOTHING, MovementFacts
from chain.ethereum.model import Basis, Movement, Standard

TRANSFER = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
"""Transfer(address,address,uint256), of ERC-20 and, with the third argument indexed, ERC-721."""

TRANSFER_SINGLE = bytes.fromhex("c3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62")
TRANSFER_BATCH = bytes.fromhex("4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb")
"""TransferSingle and TransferBatch of ERC-1155."""

DEPOSIT = bytes.fromhex("e1fffcc4923d04b559f4d29a8bfc6cda04eb5b0d3c460751c2402c5c5cc9109c")
WITHDRAWAL = bytes.fromhex("7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65")
"""Deposit(address,uint256) and Withdrawal(address,uint256) of WETH9, which makes no Transfer of them."""

WRAPPED_ETHER = frozenset({bytes.fromhex("c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2")})
"""Contracts whose Deposit and Withdrawal logs are believed: WETH9 on the main network (its verified source)."""

APPROVAL = bytes.fromhex("8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925")
"""Approval(address,address,uint256), of ERC-20 and, with the third argument indexed, ERC-721."""

USER_OPERATION = bytes.fromhex("49628fd1471006c1482da88028e9ce4dbb080b815c9b0344d39e5a8e6ec1419f")
"""UserOperationEvent(bytes32,address,address,uint256,bool,uint256,uint256) of ERC-4337."""

ENTRY_POINTS = frozenset(
    bytes.fromhex(address)
    for address in (
        "5ff137d4b0fdcd49dca30c7cf57e578a026d2789",
        "0000000071727de22e5e9d8baf0edac6f37da032",
        "4337084d9e255ff0702461cf8895ce9e3b5ff108",
    )
)
"""Contracts whose UserOperationEvent logs are believed: versions 0.6, 0.7 and 0.8, at one address on every chain
(eth-infinitism/account-abstraction)."""

WORD = 32
MOST_IN_BATCH = 10_000
"""Tokens that one TransferBatch may list; a block's gas does not allow as many."""


def log_movements(contract: bytes, topics: Sequence[bytes], data: bytes, log: int, basis: Basis) -> list[MovementFacts]:
    """The movements that one log states; empty where it is no log of a token, or not of the form that it claims."""
    if not topics:
        return []
    kind = topics[0]
    if kind == TRANSFER:
        return _transfer(contract, topics, data, log, basis)
    if kind in (DEPOSIT, WITHDRAWAL) and contract in WRAPPED_ETHER and len(topics) == 2 and len(data) == WORD:
        holder = _address(topics[1])
        wrap = kind == DEPOSIT
        return [
            MovementFacts(
                Movement.WRAP if wrap else Movement.UNWRAP, basis, NOTHING if wrap else holder,
                holder if wrap else NOTHING, int.from_bytes(data, "big"), Standard.ERC20, contract, 0, log,
            )
        ]  # fmt: skip
    if kind == APPROVAL:
        return _approval(contract, topics, data, log, basis)
    if kind == USER_OPERATION and contract in ENTRY_POINTS and len(topics) == 4:
        account, paymaster = _address(topics[2]), _address(topics[3])
        payer = paymaster if any(paymaster) else NOTHING
        return [MovementFacts(Movement.OPERATED, basis, account, payer, 0, log=log)]
    if kind in (TRANSFER_SINGLE, TRANSFER_BATCH) and len(topics) == 4:
        tokens = _single(data) if kind == TRANSFER_SINGLE else _batch(data)
        ends = _address(topics[2]), _address(topics[3])
        return [
            MovementFacts(Movement.TOKEN, basis, *ends, value, Standard.ERC1155, contract, token, log)
            for token, value in tokens
        ]
    return []


def _transfer(contract: bytes, topics: Sequence[bytes], data: bytes, log: int, basis: Basis) -> list[MovementFacts]:
    if len(topics) == 3 and len(data) == WORD:
        value = int.from_bytes(data, "big")
        ends = _address(topics[1]), _address(topics[2])
        return [MovementFacts(Movement.TOKEN, basis, *ends, value, Standard.ERC20, contract, 0, log)]
    if len(topics) == 4 and not data:
        token = int.from_bytes(topics[3], "big")
        ends = _address(topics[1]), _address(topics[2])
        return [MovementFacts(Movement.TOKEN, basis, *ends, 1, Standard.ERC721, contract, token, log)]
    return []


def _approval(contract: bytes, topics: Sequence[bytes], data: bytes, log: int, basis: Basis) -> list[MovementFacts]:
    if len(topics) == 3 and len(data) == WORD:
        value = int.from_bytes(data, "big")
        ends = _address(topics[1]), _address(topics[2])
        return [MovementFacts(Movement.APPROVED, basis, *ends, value, Standard.ERC20, contract, 0, log)]
    if len(topics) == 4 and not data:
        token = int.from_bytes(topics[3], "big")
        ends = _address(topics[1]), _address(topics[2])
        return [MovementFacts(Movement.APPROVED, basis, *ends, 1, Standard.ERC721, contract, token, log)]
    return []


def _address(topic: bytes) -> bytes:
    return topic[12:]


def _single(data: bytes) -> list[tuple[int, int]]:
    if len(data) != 2 * WORD:
        return []
    return [(int.from_bytes(data[:WORD], "big"), int.from_bytes(data[WORD:], "big"))]


def _batch(data: bytes) -> list[tuple[int, int]]:
    """Two arrays of words behind their offsets (ABI encoding); empty where they are not of one length."""
    ids, values = _words(data, 0), _words(data, 1)
    return list(zip(ids, values, strict=True)) if len(ids) == len(values) else []


def _words(data: bytes, place: int) -> list[int]:
    at = int.from_bytes(data[place * WORD : (place + 1) * WORD], "big")
    if at > len(data) - WORD:
        return []
    count = int.from_bytes(data[at : at + WORD], "big")
    body = data[at + WORD : at + WORD + count * WORD] if count <= MOST_IN_BATCH else b""
    if len(body) != count * WORD:
        return []
    return [int.from_bytes(body[k : k + WORD], "big") for k in range(0, len(body), WORD)]
