"""Coinjoins of each protocol, payjoin, and the transactions of one owner that look like one.

The forms are those that the protocols' own software makes (JoinMarket, Wasabi 1.0 and 1.1, WabiSabi as Wasabi 2 runs
it, Whirlpool with its Tx0), so that a detector meets what it is written for. What is simpler than the real ones:
WabiSabi's choice of denominations is greedy over a random subset of its list; Wasabi's coordinator takes a flat fee.
"""

from __future__ import annotations

from clustering.simulate.consumers import LEAST
from clustering.simulate.economy import Economy
from clustering.simulate.keys import Address, Form
from clustering.simulate.kinds import Kind, Party
from clustering.simulate.profile import MAKES
from clustering.simulate.wallet import Coin, Group, Policy, Wallet
from clustering.simulate.world import Output, data_address

BITCOIN = 100_000_000

WASABI_LEVEL = BITCOIN // 10
"""Wasabi 1's denomination: a tenth of a bitcoin, which drifts by a few parts in a thousand."""
WASABI_1_PEERS = (11, 40)
"""Participants of a round, least and most here (the coordinator of Wasabi 1 waited for up to 100)."""
WASABI_2_PEERS = (16, 45)
WASABI_2_LEAST = 5_000
"""Satoshi: the least output of a Wasabi 2 round (WabiSabi config, MinAllowedOutputAmounts)."""
WASABI_2_PIECES = 5
"""Denominations that a participant takes at most; the rest is his change."""

WHIRLPOOL_POOLS = ((100_000, 5_000), (1_000_000, 50_000), (5_000_000, 175_000), (50_000_000, 1_750_000))
"""Denomination and the coordinator's fee, in satoshi, of Samourai's four pools."""
WHIRLPOOL_PEERS = (5, 8)


def denominations() -> list[int]:
    """WabiSabi's list, descending: 2^k, 3^k, 2·3^k, 1, 2 and 5 times 10^k satoshi, 5,000 to 2^37 satoshi."""
    powers = [2**k for k in range(64)] + [3**k for k in range(40)] + [2 * 3**k for k in range(40)]
    powers += [n * 10**k for k in range(16) for n in (1, 2, 5)]
    return sorted({value for value in powers if WASABI_2_LEAST <= value <= 1 << 37}, reverse=True)


DENOMINATIONS = denominations()

Seat = tuple[Wallet, Coin]


class Mixing:
    """The coordinators and who waits for a mix."""

    def __init__(self, economy: Economy, hidden_payjoins: bool) -> None:
        self.economy = economy
        self._hidden_payjoins = hidden_payjoins
        fresh = {group.make.name: group for group in economy.groups[Policy.FRESH]}
        self.wasabi, self.samourai, self.makers = fresh["wasabi"], fresh["samourai"], fresh["joinmarket"]
        self.coordinator = economy.party(Party.COORDINATOR, "wasabi coordinator", MAKES[12])
        self.whirlpool = economy.party(Party.COORDINATOR, "whirlpool coordinator", MAKES[13])
        self.waiting: dict[int, list[Seat]] = {}
        """Coins that an exchange paid for a round of this kind, once they are there."""
        self._inboxes: dict[int, list[tuple[Wallet, list[Coin]]]] = {}
        self.entrants: dict[int, list[Seat]] = {pool: [] for pool, _ in WHIRLPOOL_POOLS}
        self.mixed: dict[int, list[Seat]] = {pool: [] for pool, _ in WHIRLPOOL_POOLS}
        self._seeds: dict[int, list[Coin]] = {}
        self._begun: set[int] = set()
        """Pools that have had a mix."""
        self._tx0_pool: int | None = None
        self._size: dict[int, int] = {}
        self.invited: list[Seat] = []
        """Coins of others (a seller's proceeds) that take part in the next Wasabi round."""
        self.invited_txids: list[tuple[bytes, Coin]] = []

    def _draw(self, least: int, most: int) -> int:
        return least + int(self.economy.world.rng.random() * (most - least + 1))

    def _member(self, group: Group, present: set[int]) -> Wallet:
        """Somebody of a group, who is not there yet where that can be had."""
        wallets = group.wallets
        if len(wallets) < 8 or len(wallets) * 2 < group.stock:
            return self.economy.join(group)
        for _ in range(8):
            wallet = wallets[int(self.economy.world.rng.random() * len(wallets))]
            if wallet.owner not in present:
                return wallet
        return self.economy.join(group)

    def _gather(self, kind: int, number: int, group: Group, value: int) -> list[Seat] | None:
        """`number` coins for a round, asked of exchanges where they lack; None until they are there."""
        seats = self.waiting.setdefault(kind, [])
        inboxes = self._inboxes.setdefault(kind, [])
        for wallet, inbox in inboxes:
            seats += [(wallet, coin) for coin in inbox]
        inboxes[:] = [(wallet, inbox) for wallet, inbox in inboxes if not inbox]
        present = {wallet.owner for wallet, _ in seats} | {wallet.owner for wallet, _ in inboxes}
        for _ in range(number - len(seats) - len(inboxes)):
            wallet, inbox = self._member(group, present), []
            present.add(wallet.owner)
            spread = int(self.economy.world.rng.random() * (1 << 24))
            self.economy.order(value + value * spread * spread // (1 << 47), wallet, inbox)
            inboxes.append((wallet, inbox))
        if len(seats) < number:
            return None
        chosen = seats[:number]
        del seats[:number]
        return chosen

    def _back(self, wallet: Wallet, value: int, form: int | None = None) -> Output:
        """A fresh output of a participant, that he is free to spend."""
        wallet.group.stock += 1
        return value, self._fresh(wallet, form), wallet.coins

    def _fresh(self, wallet: Wallet, form: int | None = None) -> Address:
        return self.economy.world.address(wallet.owner, wallet.make.form if form is None else form)

    def joinmarket(self) -> bool:
        """A taker and two to nine makers: an equal output for each, a change for each but a taker who sweeps."""
        world, number = self.economy.world, self._size.setdefault(Kind.JOINMARKET, self._draw(3, 10))
        seats = self._gather(Kind.JOINMARKET, number, self.makers, 4_000_000)
        if seats is None:
            return False
        del self._size[Kind.JOINMARKET]
        seats.sort(key=lambda seat: (seat[1][1], seat[1][0]))
        coins = [coin for _, coin in seats]
        more: dict[int, int] = {}
        for wallet, _ in seats[1:]:
            # A maker may bring several coins: one more of those that earlier rounds left him.
            if wallet.coins and world.rng.random() < 0.4:
                coins.append(wallet.coins.pop())
                wallet.group.stock -= 1
                more[wallet.owner] = coins[-1][1]
        fee = world.fee(coins, (Form.P2SH,) * (2 * number))
        equal = coins[0][1] - fee - LEAST - int(world.rng.random() * 50_000)
        sweeping = world.rng.random() < 0.2
        if sweeping:
            equal = coins[0][1] - fee
        outputs = [self._back(wallet, equal) for wallet, _ in seats]
        for place, (wallet, coin) in enumerate(seats):
            rest = coin[1] + more.get(wallet.owner, 0) - equal - (fee if place == 0 else 0)
            if place or not sweeping:
                outputs.append(self._back(wallet, rest))
        return bool(world.shared(Kind.JOINMARKET, coins, outputs, 2))

    def wasabi_1(self, kind: Kind) -> bool:
        """A round of ZeroLink: 0.1 bitcoin each (1.1: those with more also take equal doubles), changes, a fee."""
        world = self.economy.world
        number = self._size.setdefault(kind, self._draw(*WASABI_1_PEERS))
        seats = self._gather(kind, number, self.wasabi, WASABI_LEVEL * (14 if kind == Kind.WASABI_1_0 else 22) // 10)
        if seats is None:
            return False
        del self._size[kind]
        invited, self.invited = self.invited, []
        seats += invited
        level = WASABI_LEVEL * (980 + int(world.rng.random() * 40)) // 1000
        share = 12_000
        rests = [coin[1] - level - share for _, coin in seats]
        outputs = [self._back(wallet, level, Form.P2WPKH) for wallet, _ in seats]
        double = 2 * level
        while kind == Kind.WASABI_1_1 and sum(rest >= double for rest in rests) >= 2:
            for place, (wallet, _) in enumerate(seats):
                if rests[place] >= double:
                    rests[place] -= double
                    outputs.append(self._back(wallet, double, Form.P2WPKH))
            double *= 2
        for (wallet, _), rest in zip(seats, rests, strict=True):
            if rest >= LEAST:
                outputs.append(self._back(wallet, rest, Form.P2WPKH))
        outputs.append((5_000 * len(seats), self._fresh(self.coordinator), self.coordinator.coins))
        coins = [coin for _, coin in seats]
        txid = world.shared(kind, coins, outputs)
        self.invited_txids += [(txid, coin) for _, coin in invited]
        self._cash_fees(self.coordinator)
        return True

    def wasabi_2(self) -> bool:
        """A WabiSabi round: any sums in, common denominations out, and what is left over."""
        world = self.economy.world
        number = self._size.setdefault(Kind.WASABI_2, self._draw(*WASABI_2_PEERS))
        need = max(24, number * 13 // 10)
        seats = self._gather(Kind.WASABI_2, need, self.wasabi, 1_000_000)
        if seats is None:
            return False
        del self._size[Kind.WASABI_2]
        offset = int(world.rng.random() * 4)
        common = [value for place, value in enumerate(DENOMINATIONS) if place % 4 == offset]
        price = 43 * world.rate
        funds: dict[int, int] = {}
        wallets: dict[int, Wallet] = {}
        for wallet, coin in seats:
            funds[wallet.owner] = funds.get(wallet.owner, 0) + coin[1] - 68 * world.rate
            wallets[wallet.owner] = wallet
        outputs: list[Output] = []
        for owner, brought in funds.items():
            wallet, left = wallets[owner], brought
            pieces = 0
            for value in common:
                while left >= value + price and pieces < WASABI_2_PIECES and value * 3 < brought * 2:
                    outputs.append(self._back(wallet, value, Form.TAPROOT if world.rng.random() < 0.5 else None))
                    left -= value + price
                    pieces += 1
            if left >= WASABI_2_LEAST + price:
                outputs.append(self._back(wallet, left - price))
        return bool(world.shared(Kind.WASABI_2, [coin for _, coin in seats], outputs))

    def whirlpool_tx0(self) -> bool:
        """One owner cuts a coin into equal pre-mix outputs, pays the pool, keeps the change, leaves a message."""
        world = self.economy.world
        if self._tx0_pool is None:
            self._tx0_pool = self._neediest()
        pool, price = next(each for each in WHIRLPOOL_POOLS if each[0] == self._tx0_pool)
        if pool not in self._seeds:
            # The first mix needs one coin of exactly the denomination, which no mix can have made yet.
            self._seeds[pool] = []
            self.economy.order(pool, self.whirlpool, self._seeds[pool], Form.P2WPKH)
        seats = self._gather(Kind.WHIRLPOOL_TX0, 1, self.samourai, 4 * pool + 2 * price + 100_000)
        if seats is None:
            return False
        wallet, coin = seats[0]
        extra = 2_000 + int(world.rng.random() * 20_000)
        paid = price * (60 + int(world.rng.random() * 60)) // 100
        forms = (Form.P2WPKH,) * 12
        number = min(10, (coin[1] - paid - world.fee([coin], forms) - LEAST) // (pool + extra))
        if number < 1:
            wallet.coins.append(coin)
            wallet.group.stock += 1
            return False
        fee = world.fee([coin], forms[: number + 2])
        left = coin[1] - number * (pool + extra) - paid - fee
        found: list[Coin] = []
        outputs: list[Output] = [(pool + extra, self._fresh(wallet, Form.P2WPKH), found) for _ in range(number)]
        outputs += [
            (paid, self._fresh(self.whirlpool), self.whirlpool.coins),
            (0, data_address(world.rng.getrandbits(512).to_bytes(64, "big")), None),
        ]
        world.send(
            Kind.WHIRLPOOL_TX0, wallet.owner, [coin], outputs, self._back(wallet, left, Form.P2WPKH), wallet.make
        )
        self.entrants[pool] += [(wallet, each) for each in found]
        self._cash_fees(self.whirlpool)
        self._tx0_pool = None
        return True

    def _cash_fees(self, coordinator: Wallet) -> None:
        """A coordinator brings its fees to an exchange, some at a time."""
        world, coins = self.economy.world, coordinator.coins
        if len(coins) < 4:
            return
        value = sum(coin[1] for coin in coins) - world.fee(coins, (Form.P2PKH,))
        if value < LEAST:
            return
        coordinator.coins = []
        to: Output = (value, *self.economy.deposit(coordinator))
        world.send(Kind.SWEEP, coordinator.owner, coins, [to], None, coordinator.make)

    def _neediest(self) -> int:
        """The pool with the fewest entrants; the cheaper ones are used more."""
        for pool, _ in WHIRLPOOL_POOLS:
            # A pool starts when there are enough owners for a mix: one pool after the other.
            if len({wallet.owner for wallet, _ in self.entrants[pool] + self.mixed[pool]}) < WHIRLPOOL_PEERS[1]:
                return pool
        order = sorted(self.entrants, key=lambda pool: (len(self.entrants[pool]) // 3, pool))
        pool = order[0]
        return pool if pool <= 5_000_000 or self.economy.world.rng.random() < 0.5 else order[1]

    def whirlpool_mix(self) -> bool:
        """Five to eight coins in, as many of exactly the denomination out: one to four from a Tx0, the rest not."""
        world = self.economy.world
        size = self._size.setdefault(Kind.WHIRLPOOL, max(5, self._draw(*WHIRLPOOL_PEERS) - self._draw(0, 1)))
        for pool, _ in sorted(WHIRLPOOL_POOLS, key=lambda each: (-len(self.entrants[each[0]]), each[0])):
            entrants, mixed = self.entrants[pool], self.mixed[pool]
            mixed += [(self.whirlpool, coin) for coin in self._seeds.get(pool, [])]
            self._seeds.get(pool, []).clear()
            # A pool's first mix has one coin that is no entrant: four entrants with it.
            first = pool not in self._begun
            seats = self._strangers(entrants, 4 if first else self._draw(1, 4), set())
            new, needed = len(seats), 5 if first else size
            seats += self._strangers(mixed, needed - new, {wallet.owner for wallet, _ in seats})
            if not new or len(seats) < needed:
                entrants += seats[:new]
                mixed += seats[new:]
                continue
            self._begun.add(pool)
            del self._size[Kind.WHIRLPOOL]
            inbox: list[list[Coin]] = [[] for _ in seats]
            outputs: list[Output] = [
                (pool, self._fresh(wallet, Form.P2WPKH), box) for (wallet, _), box in zip(seats, inbox, strict=True)
            ]
            world.shared(Kind.WHIRLPOOL, [coin for _, coin in seats], outputs, 1)
            for (wallet, _), box in zip(seats, inbox, strict=True):
                if wallet is not self.whirlpool and len(mixed) > 10 + world.made // 10_000 and world.rng.random() < 0.7:
                    wallet.coins += box
                    wallet.group.stock += 1
                else:
                    mixed.append((wallet, box[0]))
            return True
        return False

    def _strangers(self, waiting: list[Seat], number: int, present: set[int]) -> list[Seat]:
        """So many of those who wait, no one twice; fewer where there are not so many owners."""
        self.economy.world.shuffle(waiting)
        chosen: list[Seat] = []
        for seat in list(waiting):
            if len(chosen) < number and seat[0].owner not in present:
                present.add(seat[0].owner)
                chosen.append(seat)
                waiting.remove(seat)
        return chosen

    def stonewall(self) -> bool:
        """One owner pays in the form of a coinjoin of two: the sum twice, two changes."""
        world = self.economy.world
        seats = self._gather(Kind.STONEWALL, 2, self.samourai, 600_000)
        if seats is None:
            return False
        wallet = seats[0][0]
        coins = [coin for _, coin in seats]
        if seats[1][0] is not wallet:
            # Both coins must be his: the second stays with the one who asked for it.
            other = seats[1]
            other[0].coins.append(other[1])
            other[0].group.stock += 1
            self.economy.order(700_000 + int(world.rng.random() * 300_000), wallet, self._box(wallet))
            self.waiting[Kind.STONEWALL].insert(0, seats[0])
            return False
        fee = world.fee(coins, (Form.P2WPKH,) * 4) // 2 + 1
        equal = min(coin[1] for coin in coins) // 2
        address, sink = self.economy.payee(wallet, 0)
        outputs: list[Output] = [(equal, address, sink), self._back(wallet, equal)]
        outputs += [self._back(wallet, coin[1] - equal - fee * (1 + place)) for place, coin in enumerate(coins)]
        world.shuffle(outputs)
        world.emit(Kind.STONEWALL, wallet.owner, coins, outputs, -1, 2, 0, wallet.make.sequence, True)
        return True

    def _box(self, wallet: Wallet) -> list[Coin]:
        inbox: list[Coin] = []
        self._inboxes[Kind.STONEWALL].insert(0, (wallet, inbox))
        return inbox

    def payjoin(self) -> bool:
        """Payer and payee each bring a coin: the payee's comes back with the payment on it (BIP 78).

        With the payjoin form the payer's coin would have been enough. Without it both are needed, and nothing tells the
        transaction from one party's payment: those are made only where a chain is to have them.
        """
        world, economy = self.economy.world, self.economy
        merchant = economy.merchants[0]
        payer = economy.spender(Policy.FRESH)
        if payer is None or not merchant.deposits:
            return False
        mine = max(payer.coins, key=lambda coin: (coin[1], coin[0]))
        theirs = min(merchant.deposits, key=lambda coin: (coin[1], coin[0]))
        fee = world.fee([mine, theirs], (0, 0))
        enough = mine[1] - fee - theirs[1]
        least, most = (max(enough, 0), mine[1] - fee - LEAST) if self._hidden_payjoins else (0, enough)
        if most < least + 2 * LEAST:
            return False
        payer.coins.remove(mine)
        merchant.deposits.remove(theirs)
        amount = least + LEAST + (most - least - LEAST) * (50 + int(world.rng.random() * 800)) // 1000
        outputs: list[Output] = [
            (theirs[1] + amount, world.address(merchant.owner, merchant.make.form), merchant.deposits),
            (mine[1] - fee - amount, self._fresh(payer), payer.coins),
        ]
        world.shared(Kind.PAYJOIN, [mine, theirs], outputs, payer.make.version)
        return True
