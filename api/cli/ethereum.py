"""What commands print of Ethereum's addresses and transactions."""

from __future__ import annotations

from collections.abc import Iterator

from api.answers.ethereum import ETHER, ETHER_DECIMALS
from api.answers.ethereum_shapes import (
    Asset,
    EthereumAddressAnswer,
    EthereumAddressBody,
    EthereumCoverage,
    EthereumTransactionAnswer,
    EthereumTransactionBody,
)
from api.cli.output import counted, limit_lines


def is_ethereum(chain: str, address: str) -> bool:
    """Whether a command that was given an address means Ethereum: by the chain, or by the address's form."""
    return chain == "eth" or address[:2].lower() == "0x"


def address_lines(body: EthereumAddressBody) -> Iterator[str]:
    """An address in every dataset that knows it."""
    yield f"address      {body['address']} ({body['kind']})"
    for answer in body["answers"]:
        yield ""
        yield from _address(answer)
    for asked in body["asked"]:
        if not asked["observed"]:
            yield f"{asked['dataset']}: {asked['reason'] or 'not observed'}"


def _address(answer: EthereumAddressAnswer) -> Iterator[str]:
    as_of = answer["as_of"]
    yield f"dataset      {answer['dataset']}, as of height {None if as_of is None else as_of['height']}"
    yield from _missing(answer["coverage"])
    yield f"movements    {answer['movements']:,}, from {answer['first_seen']['time']} to {answer['last_seen']['time']}"
    for holding in answer["holdings"]:
        yield (
            f"  {holding['asset']:<44} received {_units(holding['received'], holding)}, "
            f"spent {_units(holding['spent'], holding)}, net {_units(holding['net'], holding)}"
        )
        if holding["opening"] != "0":
            yield f"  {'':<44} at least {_units(holding['opening'], holding)} was held before the dataset begins"
    yield from limit_lines(answer["limits_hit"])
    yield f"  {answer['statement']}"


def _missing(coverage: EthereumCoverage) -> Iterator[str]:
    named = {
        "receipts": coverage["blocks_without_receipts"],
        "logs": coverage["blocks_without_logs"],
        "token transfers": coverage["blocks_without_token_transfers"],
        "traces": coverage["blocks_without_traces"],
    }
    lacking = [f"{name} of {counted(count, 'block')}" for name, count in named.items() if count]
    if coverage["fees_missing"]:
        lacking.append(f"fees of {counted(coverage['fees_missing'], 'transaction')}")
    if lacking:
        yield f"not covered  {', '.join(lacking)}"


def _units(base_units: str, asset: Asset) -> str:
    """An amount in the asset's unit, exact; base units where its decimals are not stated."""
    decimals = asset["decimals"]
    value = int(base_units)
    if decimals is None:
        return f"{value:,}"
    whole, part = divmod(abs(value), 10**decimals)
    text = f"{'-' if value < 0 else ''}{whole:,}.{part:0{decimals}d}".rstrip("0").rstrip(".")
    return f"{text} {asset['asset']}"


def amount_text(asset: str, base_units: str) -> str:
    """An amount of `ETH` in ether, exact; of a token in base units."""
    decimals = ETHER_DECIMALS if asset == ETHER else None
    units = _units(base_units, {"asset": asset, "standard": "", "decimals": decimals})
    return units if decimals is not None else f"{units} of {asset}"


def transaction_lines(body: EthereumTransactionBody) -> Iterator[str]:
    """A transaction in every dataset that has it."""
    yield f"transaction  {body['txid']}"
    for answer in body["answers"]:
        yield ""
        yield from _transaction(answer)


def _transaction(answer: EthereumTransactionAnswer) -> Iterator[str]:
    yield f"dataset      {answer['dataset']}, height {answer['height']}, {answer['time']}, {answer['proof']}"
    yield from _missing(answer["coverage"])
    yield f"status       {answer['status']}"
    created = f", created {answer['created']}" if answer["created"] else ""
    yield f"from         {answer['from'] or 'not stated'} to {answer['to'] or 'a new contract'}{created}"
    for move in answer["movements"]:
        token = "" if move["token_id"] is None else f" token {move['token_id']}"
        yield (
            f"  {move['kind']:<12} {amount_text(move['asset'], move['value'])}{token}"
            f" from {move['from'] or 'nobody'} to {move['to'] or 'nobody'} ({move['basis']})"
        )
    yield from limit_lines(answer["limits_hit"])
