"""What the ledgers know of the addresses in a document, and which of their addresses a cut-off one fits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from api.documents.patterns import Span, bitcoin_spans, ethereum_spans
from chain.bitcoin import address as bitcoin
from chain.bitcoin.network import NETWORKS
from chain.errors import AddressError
from chain.ethereum import address as ethereum
from chain.model import AddressKind
from chain.store.answers import AnswerStore
from chain.store.postgres import Connection

MAX_ROWS = 100_000
"""Addresses of a dataset that are compared with one cut-off address."""

SHOWN = 10
"""Addresses that fit, told one by one."""

FEWEST = 3
"""Known first characters below which nothing is searched: nearly everything would fit."""


@dataclass(slots=True)
class Known:
    """What is known of a written address."""

    datasets: list[str] = field(default_factory=list)
    fits: list[str] = field(default_factory=list)
    """Addresses that a cut-off one fits; the first of them"""
    more: int = 0
    notes: list[str] = field(default_factory=list)


async def search(connection: Connection, asked: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Known]:
    """(chain, address or START*END) -> what is known of it."""
    store = AnswerStore(connection)
    datasets = await store.chains()
    return {each: await _one(store, datasets, *each) for each in sorted(asked)}


async def _one(store: AnswerStore, datasets: list[tuple[int, str, str, str]], chain: str, written: str) -> Known:
    known = Known()
    start, star, end = written.partition("*")
    if star and len(start.removeprefix("0x")) < FEWEST:
        known.notes.append(f"not searched: fewer than {FEWEST} of its first characters are known")
        return known
    fits: set[str] = set()
    for dataset, name, of_chain, network in datasets:
        if of_chain != chain:
            continue
        here: set[str] = set()
        for span in _spans(chain, start if star else written, network, cut_off=bool(star)):
            rows = await store.addresses_between(dataset, int(span.kind), span.low, span.high, MAX_ROWS + 1)
            if len(rows) > MAX_ROWS:
                known.notes.append(f"more than {MAX_ROWS:,} addresses of {name} begin so; not all were compared")
            texts = (_text(chain, span.kind, payload, network) for payload in rows[:MAX_ROWS])
            here |= {text for text in texts if _fits(chain, text, start, end, cut_off=bool(star), whole=written)}
        if here:
            known.datasets.append(name)
            fits |= here
    if star:
        listed = sorted(fits)
        known.fits, known.more = listed[:SHOWN], max(0, len(listed) - SHOWN)
    return known


def _spans(chain: str, text: str, network: str, *, cut_off: bool) -> list[Span]:
    if chain == "eth":
        return list(ethereum_spans(text))
    if cut_off:
        return bitcoin_spans(text, NETWORKS[network])
    try:
        key = bitcoin.decode(text, NETWORKS[network])
    except AddressError:
        return []
    return [Span(AddressKind(key[0]), key[1:], key[1:])]


def _fits(chain: str, text: str, start: str, end: str, *, cut_off: bool, whole: str) -> bool:
    if not cut_off:
        return text == whole
    if chain == "eth":
        text, start, end = text.lower(), start.lower(), end.lower()
    return text.startswith(start) and text.endswith(end) and len(text) > len(start) + len(end)


def _text(chain: str, kind: AddressKind, payload: bytes, network: str) -> str:
    if chain == "eth":
        return ethereum.encode(payload)
    return bitcoin.encode(bytes([kind]) + payload, NETWORKS[network])
