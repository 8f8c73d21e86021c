"""The demo's Ethereum side: a generated chain whose truth is known, and two real token sales out of public tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from api import detections, relations
from api.answers.ethereum import ETHER
from api.answers.findings import sales_body
from api.cli.detect import collection_lines, sale_lines
from api.cli.ethereum import amount_text
from api.instance import Instance
from api.measure.ethereum_chains import LaidEthereum
from api.measure.sales import Measured, compare
from api.measure.tracing import ALL, CATEGORIES, ethereum_cases, traced_ends
from api.simulate_ethereum import block_files, open_ethereum_truth, simulate_ethereum
from chain.ethereum.etl import EtlFolder
from chain.ethereum.files import EthereumFiles
from chain.ethereum.load import load_extract
from chain.ethereum.movements import MAIN_CHAIN
from chain.store.ethereum import EthereumStore
from chain.store.postgres import Connection
from clustering.ethereum.ledger import ETHER as ETHER_ID
from clustering.simulate.ethereum.generator import VERSION
from clustering.simulate.ethereum.signing import CHAIN_ID
from clustering.simulate.ethereum.truth import Truth
from clustering.trace.policies import Policy

GENERATED = f"demo-ethereum-{VERSION}"
"""Extract of the generated chain; another version of the generator makes another chain."""

SEED, TRANSACTIONS = 1, 5_000

DATASET = "demo-sales"
"""Extract of both sales."""

FOLDERS = ("thedao", "bancor")


async def generated(instance: Instance, connection: Connection, say: Callable[[str], None]) -> None:
    """Generate a chain, load it with its traces, look for sales and relations, and compare with the truth."""
    say("")
    say("2. A generated Ethereum: token sales among exchanges, markets, drainers and poisoners, each owner known")
    folder = instance.home / f"sample-ethereum-{VERSION}"
    if not folder.exists():
        await asyncio.to_thread(simulate_ethereum, SEED, TRANSACTIONS, folder)
    truth = open_ethereum_truth(folder)
    store = EthereumStore(connection)
    if any(each.counts["tx"] for each in await store.datasets(GENERATED)):
        say("   loaded      before: an extract is whole when it is there")
    else:
        source = await asyncio.to_thread(EthereumFiles, block_files(folder), CHAIN_ID, rlp=True)
        report = await load_extract(connection, source, GENERATED)
        say(
            f"   loaded      {report.blocks} blocks, {report.transactions:,} transactions, "
            f"{report.movements:,} movements in {report.seconds:.1f} s"
        )
        say(f"   tip         height {report.tip_height}, {report.tip_hash}: every block proved by its bytes")
    body, _ = await sales_body(connection, GENERATED)
    (answer,) = body["answers"]
    for found in answer["findings"]:
        for line in sale_lines(found):
            say(f"   {line}")
    for collection in [*answer["presales"], *answer["leads"]]:
        for line in collection_lines(collection):
            say(f"   {line}")
    for form in answer["rejected"]:
        say(f"   no sale     {form['contract']}: {form['reason']}")
    await _compared(connection, truth, say)


async def _compared(connection: Connection, truth: Truth, say: Callable[[str], None]) -> None:
    """What was found against what happened: sales, purchases, and what became of the victims."""
    dataset = await EthereumStore(connection).dataset(GENERATED)
    ledger, hashes, keys, said = await detections.token_sales(connection, dataset)
    measured, laid = Measured(), LaidEthereum(ledger, hashes, keys)
    compare(truth, laid, said, measured)
    for form, counts in measured.sales.items():
        what, right = ("payments", "payments found") if form == "presale" else ("purchases", "purchases right")
        if counts["found"]:
            gross = "right" if counts["gross right"] else "WRONG"
            of = f"{counts[right]} of {counts[f'{what} made']} {what}, gross {gross}"
        else:
            of = f"missed, with {counts[f'{what} made']} {what}: docs/methods.md says which forms are"
        say(f"   truth       {form}: {of}")
    wrong = measured.findings["false sales"] + measured.findings["false presales"]
    say(f"   truth       {wrong} findings of {len(truth.no_sales)} forms that are no sale")
    _say_proceeds(truth, laid, say)
    run = await relations.update(connection, dataset)
    victims = {row for harm in truth.harms for row in harm.victims}
    sharing = max(truth.harms, key=lambda harm: harm.form == "shared deposit address").victims
    joined, named = run.addresses - run.clusters, measured.harmed["victims named"]
    offenders = {harm.offender for harm in truth.harms}
    say(f"   victims     {len(victims)} of {len(offenders)} offenders, {len(sharing)} paid one deposit address:")
    say(f"               {joined or 'none'} joined with anybody, {named} named as a party by a finding")


def _say_proceeds(truth: Truth, laid: LaidEthereum, say: Callable[[str], None]) -> None:
    """Where the collected proceeds of the sales went, by first in, first out, against where they did."""
    totals: dict[str, list[int]] = {}
    for case in ethereum_cases(truth, laid):
        ended, came = traced_ends(case, ALL, Policy.FIFO)
        for place, category in enumerate(CATEGORIES, 1):
            true = [end for end in case.ends if end.category == category and end.asset == ETHER_ID]
            sums = totals.setdefault(category, [0, 0, 0])
            sums[0] += sum(end.value for end in true)
            sums[1] += sum(min(end.value, came.get((end.tx, end.address, end.asset), 0)) for end in true)
            sums[2] += ended.get(place, 0) if true else 0
    for category, (went, right, found) in totals.items():
        if went:
            of = f"{amount_text(ETHER, str(right))} of {amount_text(ETHER, str(went))} that went there"
            say(f"   proceeds    to {category}: found {of}, {amount_text(ETHER, str(found))} traced there in all")


async def real_sales(connection: Connection, folder: Path, say: Callable[[str], None]) -> None:
    """Load the two sales into one extract and look for what they are."""
    say("")
    say("5. Real Ethereum: ethereum-etl tables of two token sales in one extract")
    held = {each.name for each in await EthereumStore(connection).datasets(DATASET) if each.counts["tx"]}
    if DATASET in held:
        say("   loaded      before: an extract is whole when it is there")
    for name in () if DATASET in held else FOLDERS:
        report = await load_extract(connection, EtlFolder(folder / name, MAIN_CHAIN), DATASET)
        say(
            f"   loaded      {name}: {report.transactions:,} transactions, {report.movements:,} movements "
            f"in {report.seconds:.1f} s; {len(report.rejects)} rows rejected by name"
        )
    body, evidence = await sales_body(connection, DATASET)
    (answer,) = body["answers"]
    for found in answer["findings"]:
        for line in sale_lines(found):
            say(f"   {line}")
    both = answer["in_several_sales"]
    say(f"   in both     {len(both)} addresses; {len(evidence):,} purchases stand behind these findings")
