"""What commands print of Ethereum's addresses and transactions."""

from __future__ import annotations

from collections.abc import Iterator

from api.answers.ethereum import ETHER, ETHER_DECIMALS
from api.answers.ethereum_shapes import (
    Asset,
    EthereumAddressAnswer,
    EthereumAddressBody,
    EthereumCoverage,
    EthereumExplainBody,
    EthereumTransactionAnswer,
    EthereumTransactionBody,
    Holding,
)
from api.answers.relation_shapes import RelationRow
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
    first, last = answer["first_seen"], answer["last_seen"]
    if first is not None and last is not None:
        yield f"movements    {answer['movements']:,}, from {first['time']} to {last['time']}"
    for holding in answer["holdings"]:
        yield from _holding(holding)
    if answer["clustering"] is None:
        yield "relations    not looked for in this dataset as it stands; headwater cluster update --chain eth"
    for count in answer["relation_counts"]:
        yield f"relations    {count['relation']} ({count['direction']}): {count['count']:,}"
    for relation in answer["relations"]:
        yield from _relation(relation)
    yield from limit_lines(answer["limits_hit"])
    yield f"  {answer['statement']}"


def _holding(holding: Holding) -> Iterator[str]:
    received, spent, net = (amount_text(holding["asset"], each, holding["decimals"]) for each in (
        holding["received"], holding["spent"], holding["net"]
    ))  # fmt: skip
    yield f"  received {received}, spent {spent}, net {net}{_called(holding)}"
    if holding["opening"] != "0":
        opening = amount_text(holding["asset"], holding["opening"], holding["decimals"])
        yield f"    at least {opening} was held before the dataset begins"
    if holding["fault"] is not None:
        yield f"    its amounts cannot be followed: {holding['fault']}"


def _relation(relation: RelationRow) -> Iterator[str]:
    lead = f" (a lead; error rate: {relation['rate']})" if relation["is_lead"] else ""
    yield f"  {relation['wording']} {relation['address']}, {counted(relation['times'], 'time')}{lead}"
    first, last = relation["first"], relation["last"]
    yield f"    transactions {first['txid']} ({first['time']}) to {last['txid']} ({last['time']})"


def explain_lines(body: EthereumExplainBody) -> Iterator[str]:
    """What two addresses have to do with each other, in every dataset that knows one of them."""
    for answer in body["answers"]:
        yield f"dataset      {answer['dataset']}"
        yield f"connected    {'yes' if answer['connected'] else 'no'}: {answer['reason']}"
        for relation in answer["relations"]:
            yield f"  {body['a']}"
            yield from _relation(relation)
        for common in answer["in_common"]:
            yield f"in common    both: {common['relation']} {common['address']} (a lead; error rate: {common['rate']})"
            yield f"    a {counted(common['a_times'], 'time')}, transaction {common['a_txid']}"
            yield f"    b {counted(common['b_times'], 'time')}, transaction {common['b_txid']}"
        yield answer["statement"]
        yield ""
    for asked in body["asked"]:
        if not asked["observed"]:
            yield f"{asked['dataset']}: {asked['reason'] or 'not observed'}"


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


def amount_text(asset: str, base_units: str, decimals: int | None = None) -> str:
    """An amount in its unit, exact: ether, or a token whose decimals are stated; else base units."""
    places = ETHER_DECIMALS if asset == ETHER else decimals
    value = int(base_units)
    if places is None:
        return f"{value:,} of {asset}"
    whole, part = divmod(abs(value), 10**places)
    rest = f".{part:0{places}d}".rstrip("0").rstrip(".") if places else ""
    return f"{'-' if value < 0 else ''}{whole:,}{rest} {asset}"


def _called(asset: Asset) -> str:
    """What a token calls itself, behind its contract: never instead of it."""
    return "" if asset["symbol"] is None else f" (calls itself {asset['symbol']!r})"


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
            f"  {move['kind']:<12} {amount_text(move['asset'], move['value'], move['decimals'])}{token}{_called(move)}"
            f" from {move['from'] or 'nobody'} to {move['to'] or 'nobody'} ({move['basis']})"
        )
        if move["note"] is not None:
            yield f"    {move['note']}"
    if answer["actors"] != [answer["from"]]:
        yield f"acting       {', '.join(answer['actors']) or 'not stated'}"
    for act in answer["acts"]:
        allowance = (
            "" if act["allowance"] is None else f" up to {amount_text(act['asset'], act['allowance'], act['decimals'])}"
        )
        yield f"  {act['kind']:<12} by {act['from'] or 'nobody'} to {act['to'] or 'nobody'}{allowance} ({act['basis']})"
    yield from limit_lines(answer["limits_hit"])
