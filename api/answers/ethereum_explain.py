"""Why two Ethereum addresses are together, which they never are by a rule, and what they have to do with each other."""

from __future__ import annotations

from api.answers import text
from api.answers.ethereum import APART, Holder, holder, open_datasets
from api.answers.ethereum_shapes import EthereumExplainAnswer, EthereumExplainBody
from api.answers.naming import check_height
from api.answers.relations import between, in_common
from api.answers.shapes import Asked
from chain.ethereum import address as codec
from chain.store.ethereum import EthereumDataset
from chain.store.postgres import Connection

SAME = "they are one address"
ONE_UNKNOWN = "{side} was not observed in this dataset"
NO_RUN = "relations were not looked for in this dataset as it stands; headwater cluster update does"
SHARED = "what they have in common joins them no more than customers of one bank; " + text.NO_FINDING


async def explain_body(
    connection: Connection, first: str, second: str, height: int | None = None, dataset: str | None = None
) -> EthereumExplainBody:
    """Relations between two addresses, and what both have the same relation to, in every dataset that knows one of
    them. AddressError where one of them is none."""
    a, b = codec.decode(first), codec.decode(second)
    check_height(height)
    asked: list[Asked] = []
    answers: list[EthereumExplainAnswer] = []
    for each in await open_datasets(connection, dataset):
        (word, x), (other, y) = await holder(connection, each, a, height), await holder(connection, each, b, height)
        asked.append({**word, "observed": word["observed"] or other["observed"]})
        if x is not None or y is not None:
            answers.append(await _answer(connection, each, x, y))
    return {
        "chain": "eth", "a": codec.encode(a), "b": codec.encode(b),
        "connected": any(answer["connected"] for answer in answers), "asked": asked, "answers": answers,
    }  # fmt: skip


async def _answer(
    connection: Connection, dataset: EthereumDataset, x: Holder | None, y: Holder | None
) -> EthereumExplainAnswer:
    known = x or y
    assert known is not None, "only a dataset that knows one of them answers"
    answer: EthereumExplainAnswer = {
        **known.answer, "connected": False, "reason": APART, "relations": [], "in_common": [],
        "statement": text.NO_FINDING,
    }  # fmt: skip
    if x is None or y is None:
        answer["reason"] = ONE_UNKNOWN.format(side="a" if x is None else "b")
    elif x.address == y.address:
        answer["connected"], answer["reason"] = True, SAME
    elif x.run is None:
        answer["reason"] = NO_RUN
    else:
        answer["relations"] = await between(connection, dataset, x.run, x.address, y.address, x.txs)
        answer["in_common"] = await in_common(connection, dataset, x.run, x.address, y.address, x.txs)
        answer["statement"] = SHARED if answer["in_common"] else text.NO_FINDING
    return answer
