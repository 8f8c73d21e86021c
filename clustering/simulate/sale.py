"""A token sale that is paid in bitcoin: deposits, sweeps, a collector, refunds, and where the money went.

Each investor is shown a deposit address of his own and pays it from his wallet, once or more. Sweeps gather the
deposits on the collector; some investors are refunded; the collector then cashes out in slices: to an exchange (on
deposit addresses of the seller), into a Wasabi round (the mixer) and to an OTC broker, who sells on at an exchange.
"""

from __future__ import annotations

from clustering.simulate.coinjoins import Mixing
from clustering.simulate.consumers import LEAST, pay
from clustering.simulate.economy import Economy
from clustering.simulate.keys import Address
from clustering.simulate.kinds import Kind, Party
from clustering.simulate.profile import MAKES
from clustering.simulate.truth import SaleEnd
from clustering.simulate.wallet import Coin, Policy, Wallet
from clustering.simulate.world import Output

OPENS, CLOSES, ENDS = 30, 55, 95
"""Percent of the chain between which investors pay, and until which the seller cashes out."""
CASH_OUTS = 150
"""Slices in which he does that, at most."""
TO_MIX = 28_000_000
"""Satoshi: out of less the seller sends nothing to the mixer, which asks for a tenth of a bitcoin and its fee."""
REFUNDED = 10
"""Percent of investors who get their first payment back."""


def investors_of(total: int) -> int:
    """How many investors a sale has on a chain of so many transactions: forty at least, five hundred at most."""
    return min(500, 40 + total // 2_000)


class Sale:
    """The seller and his investors; `step` is called now and then and does what is due."""

    def __init__(self, economy: Economy, mixing: Mixing, total: int) -> None:
        self.economy = economy
        self.mixing = mixing
        self.seller = economy.party(Party.TOKEN_SALE, "token sale", MAKES[9])
        self.broker = economy.party(Party.OTC_BROKER, "otc broker", MAKES[5])
        self.collector = economy.world.address(self.seller.owner, self.seller.make.form)
        self.truth = economy.world.truth.sale
        self.truth.owner = self.seller.owner
        self.truth.collectors.append(economy.world.last_row())
        self.deposits: list[Coin] = []
        self.collected: list[Coin] = []
        self._investors: list[tuple[Wallet, int, Address]] = []
        self._to_refund: list[tuple[Wallet, int]] = []
        self._number = investors_of(total)
        self._payments = 2 * self._number
        self._total = total
        self._ends = 0
        self._next = 0
        """Transactions that there must be before the next cash-out."""
        self._mixing_rows: dict[bytes, int] = {}
        self._account: tuple[int, Address, list[Coin]] | None = None

    def step(self) -> bool:
        """One transaction of the sale, where one is due."""
        made = self.economy.world.made * 100
        if made < OPENS * self._total:
            return False
        if made < CLOSES * self._total:
            begun = (made - OPENS * self._total) * self._payments // ((CLOSES - OPENS) * self._total)
            if len(self.truth.payments) < begun:
                return self._invest()
            return len(self.deposits) >= 12 and self._sweep()
        if self.deposits:
            return self._sweep()
        if self._to_refund:
            return self._refund()
        self._note_mixes()
        if not self.collected or self.economy.world.made < self._next:
            return False
        self._next = self.economy.world.made + self._total * (ENDS - CLOSES) // (100 * CASH_OUTS)
        return self._cash_out()

    def _invest(self) -> bool:
        world = self.economy.world
        if len(self._investors) < self._number:
            wallet = self.economy.spender(Policy.FRESH)
            if wallet is None or any(wallet is other for other, _, _ in self._investors):
                return False
            address = world.address(self.seller.owner, self.seller.make.form, wallet.owner)
            row = world.last_row()
            self._investors.append((wallet, row, address))
            self.truth.deposits.append((row, wallet.owner))
        else:
            wallet, row, address = self._investors[int(world.rng.random() * self._number)]
        return self._pay_in(wallet, address)

    def _pay_in(self, wallet: Wallet, address: Address) -> bool:
        """A payment of a round sum out of the wallet's largest coin."""
        if not wallet.coins:
            return False
        coin = max(wallet.coins, key=lambda each: (each[1], each[0]))
        value = coin[1] * 6 // 10 // 10_000 * 10_000
        if value < 20_000:
            return False
        wallet.coins.remove(coin)
        before = len(self.deposits)
        if not pay(self.economy, wallet, [coin], 0, (value, address, self.deposits), Kind.SALE_DEPOSIT):
            return False
        txid = self.deposits[before][0][:32]
        self.truth.payments.append((txid, wallet.owner, value))
        first = sum(1 for _, investor, _ in self.truth.payments if investor == wallet.owner) == 1
        if first and len(self.truth.deposits) * REFUNDED // 100 > len(self._to_refund):
            self._to_refund.append((wallet, value))
        return True

    def _sweep(self) -> bool:
        world = self.economy.world
        coins = self.deposits[:40]
        del self.deposits[:40]
        value = sum(coin[1] for coin in coins) - world.fee(coins, (self.seller.make.form,))
        to: Output = (value, self.collector, self.collected)
        self.truth.sweeps.append(world.send(Kind.SALE_SWEEP, self.seller.owner, coins, [to], None, self.seller.make))
        return True

    def _refund(self) -> bool:
        wallet, value = self._to_refund.pop()
        found: list[Coin] = []
        to: Output = (value, self.economy.show(wallet), found)
        if not self._spend(to, Kind.SALE_REFUND):
            return False
        wallet.coins += found
        wallet.group.stock += 1
        self.truth.refunds.append((found[0][0][:32], wallet.owner, value))
        return True

    def _cash_out(self) -> bool:
        """A slice of the proceeds to the exchange, the mixer or the broker, by turns."""
        world = self.economy.world
        coin = max(self.collected, key=lambda each: (each[1], each[0]))
        value = coin[1] * (300 + int(world.rng.random() * 300)) // 1000
        if coin[1] < 200_000:
            return False
        turn = self._ends % 3
        self._ends += 1
        if turn == 1 and coin[1] > TO_MIX and not self.mixing.invited:
            return self._to_mixer(min(max(value, TO_MIX // 2), 30_000_000))
        if turn == 2:
            return self._to_broker(value)
        return self._to_exchange(value)

    def _to_exchange(self, value: int) -> bool:
        found: list[Coin] = []
        before = len(self.economy.world.truth.address_owner)
        address, sink = self.economy.deposit(self.seller)
        if self._account is None or len(self.economy.world.truth.address_owner) > before:
            row = self.economy.world.last_row()
        else:
            row = self._account[0]
        assert sink is not None, "a deposit has a service behind it"
        self._account = (row, address, sink)
        if not self._spend((value, address, found), Kind.SALE_CASH_OUT):
            return False
        sink += found
        self.truth.ends.append(SaleEnd("exchange", found[0][0][:32], value, row))
        return True

    def _to_broker(self, value: int) -> bool:
        world = self.economy.world
        address = world.address(self.broker.owner, self.broker.make.form)
        row = world.last_row()
        if not self._spend((value, address, self.broker.coins), Kind.SALE_CASH_OUT):
            return False
        coin = self.broker.coins.pop()
        self.truth.ends.append(SaleEnd("broker", coin[0][:32], value, row))
        onward: Output = (coin[1] - world.fee([coin], (0, 0)), *self.economy.deposit(self.broker))
        world.send(Kind.PAY_ALL, self.broker.owner, [coin], [onward], None, self.broker.make)
        return True

    def _to_mixer(self, value: int) -> bool:
        """A coin of its own for the mixer's next round."""
        world = self.economy.world
        address = world.address(self.seller.owner, MAKES[12].form)
        self.truth.collectors.append(world.last_row())
        found: list[Coin] = []
        if not self._spend((value, address, found), Kind.SALE_CASH_OUT):
            return False
        self.mixing.invited.append((self.seller, found[0]))
        self._mixing_rows[found[0][0]] = self.truth.collectors[-1]
        return True

    def _note_mixes(self) -> None:
        """Rounds that took the seller's coins are ends of the trail."""
        for txid, coin in self.mixing.invited_txids:
            self.truth.ends.append(SaleEnd("mixer", txid, coin[1], self._mixing_rows[coin[0]]))
        self.mixing.invited_txids.clear()
        # What came back from the mix is the seller's; it waits where nobody can tell whose it is.

    def _spend(self, to: Output, kind: Kind) -> bool:
        """Pay out of the collector's largest coin; the change goes back to the collector."""
        world, make = self.economy.world, self.seller.make
        if not self.collected:
            return False
        coin = max(self.collected, key=lambda each: (each[1], each[0]))
        left = coin[1] - to[0] - world.fee([coin], (0, 0))
        if left < LEAST:
            return False
        self.collected.remove(coin)
        world.send(kind, self.seller.owner, [coin], [to], (left, self.collector, self.collected), make)
        return True
