"""What a block costs to decode, and to prove, beside web3.py's formatters on the same text.

    python -m bench.ethereum_blocks [--json]

Blocks are the contiguous JSON ones of HEADWATER_DATA, written as nodes write them, without space; without them there is
nothing to measure. Every way begins at the bytes of the answer. web3.py's formatters make Python numbers and bytes of
the values and prove nothing. Ours, step by step: typed columns of every field; these encoded again, hashed, compared
with the roots, and made objects; and the same with every sender recovered, which libsecp256k1 does one by one.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import orjson
from web3._utils.method_formatters import PYTHONIC_RESULT_FORMATTERS
from web3.types import RPCEndpoint

from bench.measure import Measure, report, seconds_of
from chain.ethereum.block import block_from_json
from chain.ethereum.columnar.decode import decode_blocks
from chain.ethereum.columnar.prove import prove_blocks
from chain.ethereum.fields import parse_json
from chain.ethereum.signatures import recover
from chain.ethereum.verify import verify_block

NOTHING_TO_MEASURE = 2
FORMATTER = PYTHONIC_RESULT_FORMATTERS[RPCEndpoint("eth_getBlockByNumber")]
RUNS = 7
DECODE_TARGET = 50
"""Times web3.py's formatters, of typed decoding alone."""


def measures(bodies: list[bytes]) -> list[Measure]:
    """Rates over the same blocks; each the best of `RUNS` runs, in turn, after one that compiles."""
    count = sum(len(block.transactions) for block in prove_blocks(bodies, 1))
    theirs, decoding, proving = _in_turn(
        lambda: [FORMATTER(json.loads(body)) for body in bodies],
        lambda: decode_blocks(bodies),
        lambda: prove_blocks(bodies, 1),
    )
    one = prove_blocks(bodies[:1], 1)[0].transactions[0]
    digest = one.signed_hash()
    recovering = _best(lambda: [recover(digest, one.parity, one.r, one.s) for _ in range(1_000)]) / 1_000
    strict = _best(lambda: _strictly(bodies))
    unsigned = proving - count * recovering
    return [
        Measure("web3.py's formatters, nothing proved", count / theirs, "tx/s"),
        Measure("decoded into typed columns", count / decoding, "tx/s"),
        Measure("decoding over theirs", theirs / decoding, "times", DECODE_TARGET),
        Measure("decoded and proved, but for senders", count / unsigned, "tx/s"),
        Measure("that over theirs", theirs / unsigned, "times"),
        Measure("decoded, proved, senders recovered", count / proving, "tx/s"),
        Measure("that over theirs", theirs / proving, "times"),
        Measure("a sender recovered", 1e6 * recovering, "us"),
        Measure("the strict reader, the twin of all that", count / strict, "tx/s"),
    ]


def _strictly(bodies: list[bytes]) -> None:
    for body in bodies:
        verify_block(block_from_json(parse_json(body), None), 1)


def _in_turn(*works: Callable[[], object]) -> list[float]:
    """The best seconds of each, one after another round by round: a machine that slows down slows all of them."""
    rounds = [[min(seconds_of(work) for _ in range(RUNS)) for work in works] for _ in range(RUNS)]
    return [min(each) for each in zip(*rounds, strict=True)]


def _best(work: Callable[[], object], runs: int = RUNS) -> float:
    return min(seconds_of(work) for _ in range(runs))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    folder = Path(os.environ.get("HEADWATER_DATA", "../shared/data")) / "ethereum" / "blocks_json"
    paths = sorted(folder.glob("2*.json.xz"))
    if not paths:
        print(f"no blocks: {folder} is not there")
        return NOTHING_TO_MEASURE
    bodies = [orjson.dumps(orjson.loads(lzma.decompress(path.read_bytes()))) for path in paths]
    return report(measures(bodies), arguments.json)


if __name__ == "__main__":
    raise SystemExit(main())
