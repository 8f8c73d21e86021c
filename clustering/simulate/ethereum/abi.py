"""What contracts are called with and what they log: topics, selectors and words of the ABI."""

from __future__ import annotations

from chain.ethereum.keccak import keccak256
from chain.ethereum.logs import DEPOSIT, TRANSFER, WITHDRAWAL

__all__ = ["DEPOSIT", "TRANSFER", "WITHDRAWAL"]

WORD = 32


def topic(signature: str) -> bytes:
    """The first topic of an event."""
    return keccak256(signature.encode())


def selector(signature: str) -> bytes:
    """The first four bytes of a call."""
    return keccak256(signature.encode())[:4]


def word(value: int | bytes) -> bytes:
    """A number, or an address, as an argument."""
    return value.to_bytes(WORD, "big") if isinstance(value, int) else value.rjust(WORD, b"\0")


def call(signature: bytes, *arguments: int | bytes) -> bytes:
    """Calldata of arguments of a word each."""
    return signature + b"".join([word(each) for each in arguments])


def array(values: list[int | bytes]) -> bytes:
    """The body of a dynamic array: its length and its words."""
    return word(len(values)) + b"".join([word(each) for each in values])


def text(value: str) -> bytes:
    """The body of a string: its length and its bytes, filled up to words."""
    raw = value.encode()
    return word(len(raw)) + raw + bytes(-len(raw) % WORD)


APPROVAL = topic("Approval(address,address,uint256)")
SYNC = topic("Sync(uint112,uint112)")
SWAP = topic("Swap(address,uint256,uint256,uint256,uint256,address)")
TOKEN_PURCHASE = topic("TokenPurchase(address,address,uint256,uint256)")
USER_OPERATION = topic("UserOperationEvent(bytes32,address,address,uint256,bool,uint256,uint256)")
ACCOUNT_DEPLOYED = topic("AccountDeployed(bytes32,address,address,address)")
ENTRY_DEPOSITED = topic("Deposited(address,uint256)")
MIX_DEPOSIT = topic("Deposit(bytes32,uint32,uint256)")
MIX_WITHDRAWAL = topic("Withdrawal(address,bytes32,address,uint256)")
VAULT_DEPOSIT = topic("Deposit(address,address,uint256,uint256)")
VAULT_WITHDRAW = topic("Withdraw(address,address,address,uint256,uint256)")
REBASED = topic("LogRebase(uint256,uint256)")
CLAIMED = topic("Claimed(uint256,address,uint256)")

TRANSFER_CALL = selector("transfer(address,uint256)")
TRANSFER_FROM_CALL = selector("transferFrom(address,address,uint256)")
APPROVE_CALL = selector("approve(address,uint256)")
BUY_CALL = selector("buyTokens(address)")
BUY_WITH_CALL = selector("buyTokensWith(address,uint256)")
REFUND_CALL = selector("refund(address)")
FORWARD_CALL = selector("forwardFunds()")
SWAP_IN_CALL = selector("swapExactETHForTokens(uint256,address[],address,uint256)")
SWAP_OUT_CALL = selector("swapExactTokensForETH(uint256,uint256,address[],address,uint256)")
ADD_LIQUIDITY_CALL = selector("addLiquidityETH(address,uint256,uint256,uint256,address,uint256)")
WRAP_CALL = selector("deposit()")
UNWRAP_CALL = selector("withdraw(uint256)")
SUBMIT_CALL = selector("submit(address)")
VAULT_DEPOSIT_CALL = selector("deposit(uint256,address)")
REDEEM_CALL = selector("redeem(uint256,address,address)")
MINT_CALL = selector("mint(uint256)")
CLAIM_CALL = selector("claim(uint256,address,uint256,bytes32[])")
MIX_IN_CALL = selector("deposit(bytes32)")
MIX_OUT_CALL = selector("withdraw(bytes,bytes32,bytes32,address,address,uint256,uint256)")
FLUSH_CALL = selector("flush(bytes32[],address)")
DISPERSE_CALL = selector("disperseEther(address[],uint256[])")
DISPERSE_TOKEN_CALL = selector("disperseToken(address,address[],uint256[])")
HANDLE_OPS_CALL = selector(
    "handleOps((address,uint256,bytes,bytes,uint256,uint256,uint256,uint256,uint256,bytes,bytes)[],address)"
)
DEPOSIT_TO_CALL = selector("depositTo(address)")
EXECUTE_CALL = selector("executeBatch(address[],uint256[],bytes[])")
CREATE_TOKEN_CALL = selector("createToken(string,string,uint256)")
DRAIN_CALL = selector("SecurityUpdate()")
REBASE_CALL = selector("rebase(uint256,int256)")
