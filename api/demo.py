"""The demo: the whole main job on the built-in sample, on a generated Ethereum, and on real data where there is some.

load -> verify -> columns -> clusters -> explain -> answer. What it prints is what it measured; nothing is canned.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from api import clusterings
from api.answers.text import bitcoin
from api.demo_ethereum import FOLDERS, generated, real_sales
from api.instance import Instance, session
from api.tracing.opening import open_chain
from api.tracing.request import TraceRequest
from api.tracing.run import run_trace
from api.tracing.seeds import read_text
from api.tracing.summary import equation
from chain.bitcoin import address as codec
from chain.bitcoin.etl import EtlFiles
from chain.bitcoin.files import BlkFolder, BlockFiles
from chain.bitcoin.network import MAINNET, REGTEST
from chain.columns import Columns
from chain.load import LoadReport, load_chain, load_extract, open_columns
from chain.model import hash_text
from chain.settings import Settings
from chain.store.dataset import Dataset
from chain.store.ledger import LedgerStore
from chain.store.postgres import Connection
from clustering.bitcoin import coinjoin
from clustering.bitcoin.coinjoin import CLASSES, CoinjoinClass
from clustering.bitcoin.ledger import Ledger
from clustering.clustering import Clustering
from clustering.links import RULES, Rule
from clustering.simulate.sample import Sample, sample_chain

Say = Callable[[str], None]

SAMPLE = "demo"
"""Dataset of the built-in sample: a chain of its own on regtest, apart from btc."""

REAL_EXTRACT = "demo-coinjoins"
"""Extract of the real transactions that are no contiguous chain."""


SHOWN_LINKS = 3
"""Links of a chain that are printed."""


@dataclass(frozen=True, slots=True)
class _View:
    """A dataset with its arrays and its clustering."""

    dataset: Dataset
    columns: Columns
    clustering: Clustering

    def text(self, address: int) -> str:
        return codec.encode(self.columns.address_key(address), self.dataset.params)

    def txid(self, tx: int) -> str:
        return hash_text(self.columns.tx_txid[tx])

    def height(self, tx: int) -> str:
        height = int(self.columns.block_height[self.columns.tx_block[tx]])
        return "an unknown height" if height < 0 else f"height {height}"

    def when(self, tx: int) -> str:
        seconds = int(self.columns.block_time[self.columns.tx_block[tx]])
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))

    def id_of(self, key: bytes) -> int:
        row = np.zeros((1, 42), np.uint8)
        row[0, : len(key)] = np.frombuffer(key, np.uint8)
        return int(self.columns.find_addresses(row, np.array([len(key)], np.uint8))[0])


async def demo(settings: Settings, say: Say) -> None:
    """Run the whole job and say what it found."""
    started = time.monotonic()
    async with session(settings) as (instance, connection):
        say(f"Instance       {instance.home}")
        sample = sample_chain()
        await _sample(instance, connection, sample, say)
        await generated(instance, connection, say)
        if settings.data is not None and (settings.data / "bitcoin").is_dir():
            await _real(instance, connection, settings.data / "bitcoin", say)
            if all((settings.data / "ethereum" / name).is_dir() for name in FOLDERS):
                await real_sales(connection, settings.data / "ethereum", say)
        else:
            say("")
            say("Real data      none: set HEADWATER_DATA to a folder that has bitcoin/ to run the same job on it")
    say("")
    say("Where to look next")
    address = codec.encode(sample.wallet("sale").keys[0], REGTEST)
    say(f"  .venv/bin/headwater cluster show {address}")
    say("  .venv/bin/headwater chain status")
    say(f"  make serve, then http://{settings.host}:{settings.port}/v1/health and")
    say(f"  http://{settings.host}:{settings.port}/v1/btc/addresses/{address}")
    say(f"Done in {time.monotonic() - started:.1f} s")


async def _sample(instance: Instance, connection: Connection, sample: Sample, say: Say) -> None:
    folder = instance.home / "sample"
    source = BlockFiles([_write_blocks(folder, sample)], REGTEST)
    report = await load_chain(connection, instance.home, source, SAMPLE)
    say("")
    say("1. The built-in sample: a token sale on a small regtest chain of real serialized blocks")
    _say_load(report, say)
    view = await _cluster(instance, connection, SAMPLE, say)
    _say_sale(view, sample, say)
    _say_coinjoin(view, sample, say)
    await _say_trace(instance, connection, sample, say)


async def _say_trace(instance: Instance, connection: Connection, sample: Sample, say: Say) -> None:
    """Where the money of the sale's deposit wallets went, against where it did."""
    request = TraceRequest(dataset=SAMPLE)
    wallets = [f"btc,{codec.encode(key, REGTEST)}" for key in sample.wallet("sale").keys[:12]]
    seeds, rejected = read_text("\n".join(["chain,address", *wallets]), "the sale's deposit wallets")
    grounds = await open_chain(connection, instance.url, instance.home, request, "btc")
    (trace,) = run_trace(request, seeds, rejected, grounds).datasets
    (balance,), board, found = trace.main.union, trace.main.board, trace.main.found
    owner = [trace.ground.address(int(each)) for each in board.owner[found.live_holding]]
    lies = dict.fromkeys(("exchange", "collector", "sale"), 0)
    for name in lies:
        keys = {codec.encode(key, REGTEST) for key in sample.wallet(name).keys}
        lies[name] = sum(int(value) for at, value in zip(owner, found.live_amount, strict=True) if at in keys)
    true = sum(coin.value for coin in sample.wallet("exchange").coins)
    say(f"   traced      {len(seeds)} deposit wallets by first in, first out: {equation(balance)} (satoshi)")
    say(f"               to the exchange {bitcoin(lies['exchange'])} BTC, of {bitcoin(true)} BTC that it was paid")
    at_collector, kept = bitcoin(lies["collector"]), bitcoin(lies["sale"])
    say(f"               {at_collector} BTC lie at the collector, {kept} BTC with the sale")


def _write_blocks(folder: Path, sample: Sample) -> Path:
    """The sample as a node would keep it: magic, length, block."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "blk00000.dat"
    with open(path, "wb") as handle:
        for serialized in sample.blocks:
            handle.write(REGTEST.magic + len(serialized).to_bytes(4, "little") + serialized)
    return path


def _say_load(report: LoadReport, say: Say) -> None:
    if report.transactions == 0:
        say(f"   loaded      nothing new (tip {report.tip_height})")
    else:
        rate = report.transactions / max(report.seconds, 0.001)
        say(
            f"   loaded      {report.blocks} blocks, {report.transactions:,} transactions, {report.outputs:,} outputs,"
            f" {report.inputs:,} inputs in {report.seconds:.1f} s ({rate:,.0f} transactions/s)"
        )
    if report.outside_outputs:
        say(f"   coverage    {report.outside_outputs:,} inputs spend outputs from outside this dataset (stated values)")
    if report.rejects:
        say(f"   rejected    {len(report.rejects)}, the first: {report.rejects[0].place}: {report.rejects[0].reason}")
    if report.tip_height is not None:
        say(f"   tip         height {report.tip_height}, {report.tip_hash}: every block proved by its bytes")


async def _cluster(instance: Instance, connection: Connection, name: str, say: Say) -> _View:
    store = LedgerStore(connection)
    dataset = await store.dataset(name)
    report = await clusterings.update(connection, instance.home, dataset)
    columns = await open_columns(store, dataset, instance.home)
    clustering = await clusterings.current_clustering(connection, instance.home, dataset, columns)
    assert clustering is not None, "a run was just made"
    state = f"run {report.run}" if report.new else f"run {report.run}, nothing new since"
    say(
        f"   clustered   {report.addresses:,} addresses into {report.clusters:,} clusters by {report.accepted_links:,}"
        f" links ({state}; partition checked by a second algorithm)"
    )
    return _View(dataset, columns, clustering)


def _say_cluster(view: _View, address: int, say: Say) -> None:
    members = view.clustering.cluster_of(address)
    row = view.clustering.members.row(int(members[0]))
    sums = view.clustering.summaries
    say(f"   cluster     {view.dataset.name}/L0/{view.text(int(members[0]))}@{view.clustering.basis.run_id}")
    say(f"               {len(members):,} addresses, {int(sums.tx_count[row]):,} transactions,")
    unstated = int(sums.unknown_values[row])
    received, spent = bitcoin(int(sums.received[row])), bitcoin(int(sums.spent[row]))
    say(f"               received {received} BTC, spent {spent} BTC" + _unstated(unstated))
    say(f"               {view.when(int(sums.first_tx[row]))} to {view.when(int(sums.last_tx[row]))}")


def _unstated(count: int) -> str:
    return f" ({count:,} amounts not stated)" if count else ""


def _say_sale(view: _View, sample: Sample, say: Say) -> None:
    deposits = [view.id_of(key) for key in sample.wallet("sale").keys]
    first, last = deposits[0], deposits[11]
    say(f"   question    which addresses belong with the deposit address {view.text(first)}?")
    _say_cluster(view, first, say)
    _say_chain(view, first, last, say)
    investor = view.id_of(sample.wallet("investor 1").keys[0])
    apart = not view.clustering.forest.same(first, investor)
    say(f"   investors   {'apart from the sale: who pays an address is not joined with it' if apart else 'JOINED'}")
    truth = {view.id_of(key) for key in sample.wallet("sale").keys}
    wrong = set(view.clustering.cluster_of(first).tolist()) - truth
    say(f"   check       {len(wrong)} addresses of others in the sale's cluster (the sample knows who holds what)")


def _say_chain(view: _View, a: int, b: int, say: Say) -> None:
    links = view.clustering.links
    chain = view.clustering.forest.explain(a, b, links.u, links.v)
    if chain is None:
        say(f"   why         {view.text(a)} and {view.text(b)} are not connected")
        return
    say(f"   why         {view.text(b)} belongs with it: {len(chain)} link(s)")
    for ordinal in chain.tolist()[:SHOWN_LINKS]:
        tx = int(links.tx[ordinal])
        say(f"               {RULES[Rule(int(links.rule[ordinal]))].wording}: transaction {view.txid(tx)}")
        say(f"               at {view.height(tx)}, {view.when(tx)}, spends from both addresses")
    if len(chain) > SHOWN_LINKS:
        rest = len(chain) - SHOWN_LINKS
        say(f"               and {rest} more: headwater cluster explain {view.text(a)} {view.text(b)}")


def _say_coinjoin(view: _View, sample: Sample, say: Say) -> None:
    names = [f"investor {number}" for number in range(1, 6)]
    roots = {view.clustering.forest.root(view.id_of(sample.wallet(name).keys[-1])) for name in names}
    say(
        f"   coinjoin    {len(names)} investors shared one equal-output transaction: {len(roots)} clusters, none joined"
    )


async def _real(instance: Instance, connection: Connection, folder: Path, say: Say) -> None:
    say("")
    say("3. Real Bitcoin: blocks 0 to 4312 from a node's block file")
    if any((folder / "raw").glob("blk*.dat*")):
        report = await load_chain(connection, instance.home, BlkFolder(folder / "raw", MAINNET))
        _say_load(report, say)
        _say_largest(await _cluster(instance, connection, "btc", say), say)
    dump = folder / "transactions.jsonl.xz"
    if dump.exists():
        say("")
        say("4. Real Bitcoin: a bitcoin-etl extract of whole later blocks and coinjoins")
        store = LedgerStore(connection)
        held = {dataset.name for dataset in await store.datasets("btc") if dataset.counts["tx"]}
        if REAL_EXTRACT in held:
            say("   loaded      before: an extract is whole when it is there")
        else:
            _say_load(await load_extract(connection, instance.home, EtlFiles([dump], MAINNET), REAL_EXTRACT), say)
        say("   proof       none: a dump states transactions, it has no headers and no scripts to prove them by")
        view = await _cluster(instance, connection, REAL_EXTRACT, say)
        _say_classes(view, say)
        _say_largest(view, say)


def _say_classes(view: _View, say: Say) -> None:
    """How many transactions have each class, so that nobody reads a mix as a payment."""
    counts = np.bincount(coinjoin.classify(Ledger.of(view.columns), 0, view.columns.tx_count), minlength=len(CLASSES))
    for kind, facts in CLASSES.items():
        if kind != CoinjoinClass.NONE and counts[kind]:
            lineage = f" ({facts.lineage.split(':')[0]})" if facts.lineage else ""
            say(f"   {counts[kind]:>9,}   {facts.name}{lineage}: {facts.effect}")


def _say_largest(view: _View, say: Say) -> None:
    labels = view.clustering.members.biggest(1)
    if not len(labels):
        return
    say("   largest")
    _say_cluster(view, int(labels[0]), say)
    members = view.clustering.cluster_of(int(labels[0]))
    if len(members) > 1:
        _say_chain(view, int(members[0]), int(members[-1]), say)
