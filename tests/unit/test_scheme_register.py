"""The register of a scheme on ledgers written by hand: reinvested, recycled, levels, what is left."""

from __future__ import annotations

from typing import Any

import numpy as np

from api.tracing.ground import Board, Ground, Place, Unusable
from api.tracing.request import TraceRequest
from api.tracing.scheme import run_scheme
from api.tracing.seeds import Seed
from chain.model import I64
from clustering.trace.movements import Movements, Side
from tests.unit.trace_ledgers import movements_of

FEE = int(Side.FEE)
ISSUED = int(Side.ISSUED)
Rows = list[tuple[list[tuple[int, int]], list[tuple[int, int]]]]


class Accounts(Ground):
    """Accounts of one asset, each its own party; seeds name them by number."""

    chain, dataset, network, labels = "eth", "hand", "main", None

    def __init__(self, rows: Rows, count: int, tx: list[int], services: tuple[int, ...] = ()) -> None:
        self.base: Movements = movements_of(rows, count)._replace(tx=np.array(tx, np.int64))
        self.times: I64 = self.base.time
        self.addresses, self.about, self._services = count, {"chain": "eth", "dataset": "hand"}, services

    def board(self, *, by_address: bool) -> Board:
        each = np.arange(self.addresses, dtype=np.int64)
        plain = np.zeros(self.addresses, np.bool_)
        return Board(self.base, each, np.zeros(self.addresses, np.int64), np.zeros(self.addresses, np.uint8), plain)

    def find(self, number: int, seed: Seed) -> Place:
        if int(seed.address) >= self.addresses:
            raise Unusable("not observed")
        return Place(number, int(seed.address), (), 0, self.base.size, -1)

    def address(self, address: int) -> str:
        return str(address)

    def output(self, holding: int) -> str:
        return ""

    def txid(self, tx: int) -> str:
        return str(tx)

    def asset_name(self, asset: int) -> str:
        return "ETH"

    def label(self, address: int) -> str:
        return "service" if address in self._services else ""

    def speaker(self, address: int) -> int:
        return -1

    def key(self, address: int) -> bytes:
        return b""


def register(rows: Rows, wallets: list[int], count: int, tx: list[int] | None = None, **more: Any) -> Any:
    ground = Accounts(rows, count, tx or list(range(len(rows))), more.pop("services", ()))
    seeds = [Seed("eth", str(each), "", -1, -1, -1, "") for each in wallets]
    return run_scheme(TraceRequest(compare=False), seeds, [], [ground], more.pop("remaining", {}))


def pays(a: int, b: int, value: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    return [(a, value)], [(b, value)]


def test_what_one_was_paid_and_pays_in_again_is_reinvested() -> None:
    """1 brings 100, is paid 40 and puts it in again: 100 are lost."""
    rows: Rows = [pays(ISSUED, 1, 100), pays(1, 0, 100), pays(0, 1, 40), pays(1, 0, 40)]
    (scheme,) = register(rows, [0], 3).datasets
    one = scheme.parties[0, 1]
    assert (one.paid, one.got, one.reinvested, one.recycled, one.loss) == (140, 40, 40, 0, 100)
    assert scheme.shares[0].remaining == 100


def test_the_scheme_s_own_money_put_in_by_another_is_recycled() -> None:
    """The scheme pays 50 to 2, 2 gives them to 3, and 3 pays them in: nobody lost them."""
    rows: Rows = [
        pays(ISSUED, 1, 100), pays(1, 0, 100), pays(0, 2, 50), pays(2, 3, 50), pays(3, 0, 50), pays(ISSUED, 3, 7),
        pays(3, 0, 7),
    ]  # fmt: skip
    (scheme,) = register(rows, [0], 4).datasets
    three = scheme.parties[0, 3]
    assert (three.paid, three.recycled, three.loss) == (57, 50, 7)
    assert (scheme.parties[0, 2].paid, scheme.parties[0, 2].got) == (0, 50)
    assert scheme.shares[0].losses == {1: 100, 3: 7}


def test_levels_follow_whom_the_first_payment_paid() -> None:
    """2's joining pays 1, 3's pays 2 and a little to 1: 2 is below 1, 3 below 2."""
    rows: Rows = [
        pays(ISSUED, 1, 100), pays(ISSUED, 2, 100), pays(ISSUED, 3, 100), pays(1, 0, 10),
        pays(2, 0, 10), pays(0, 1, 5),
        pays(3, 0, 10), pays(0, 2, 4), pays(0, 1, 1),
    ]  # fmt: skip
    (scheme,) = register(rows, [0], 4, tx=[0, 1, 2, 3, 4, 4, 5, 5, 5]).datasets
    assert scheme.levels == {1: (1, -1), 2: (2, 1), 3: (3, 2)}


def test_several_wallets_are_one_side_and_what_is_left_lies_where_no_participant_has_it() -> None:
    """0 and 4 are the scheme's; 5 collects 60 of it; 1 had 30 back."""
    rows: Rows = [pays(ISSUED, 1, 100), pays(1, 0, 100), pays(0, 4, 90), pays(4, 5, 60), pays(4, 1, 30)]
    (scheme,) = register(rows, [0, 4], 6).datasets
    assert (scheme.parties[0, 1].paid, scheme.parties[0, 1].got, scheme.parties[0, 1].loss) == (100, 30, 70)
    assert scheme.shares[0].remaining == 70
    assert scheme.shares[0].net_loss == {1: 70}
    (said,) = register(rows, [0, 4], 6, remaining={"ETH": 20}).datasets
    assert (said.shares[0].remaining, said.shares[0].stated, said.shares[0].fifo) == (20, True, {1: 20})


def test_who_is_no_wallet_says_why_and_the_others_run() -> None:
    rows: Rows = [pays(ISSUED, 1, 100), pays(1, 0, 100), pays(0, 2, 5)]
    found = register(rows, [0, 2, 9], 3, services=(2,))
    assert [row.reason.split(":")[0] for row in found.traced.rejected] == ["labels name it as a service", "hand"]
    assert found.datasets[0].wallets == 1


def test_the_order_of_wallets_changes_nothing() -> None:
    rows: Rows = [pays(ISSUED, 1, 100), pays(1, 0, 60), pays(1, 2, 40), pays(2, 0, 10)]
    one, two = (register(rows, order, 3).datasets[0] for order in ([0, 2], [2, 0]))
    assert (one.parties, one.shares, one.levels) == (two.parties, two.shares, two.levels)
