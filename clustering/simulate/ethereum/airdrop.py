"""An airdrop to many, hunters who hold many of the wallets that get it, and drops that people come and claim.

A hunter funds each wallet from one account, and each wallet then gives exactly what it got to one collector: an address
of the hunter's own, or a deposit address of the hunter's at an exchange.
"""

from __future__ import annotations

from chain.ethereum.keccak import keccak256
from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.economy import Economy
from clustering.simulate.ethereum.exchanges import Exchange
from clustering.simulate.ethereum.kinds import Kind, Party, Relation, Role
from clustering.simulate.ethereum.presale import give
from clustering.simulate.ethereum.tokens import CODE, Token, issue
from clustering.simulate.ethereum.world import CENT, ETH

PREPARES, DROPS, GATHERS, ENDS = 200, 500, 505, 700
"""Thousandths of the chain: hunters fund their wallets, the drop, the time in which they gather it."""
AMOUNT = 400
"""Tokens to each."""
BATCH = 25
HUNTERS = 3
CLAIMS_OPEN, CLAIMS_CLOSE = 600, 780
CLAIM_FEE = CENT


class Hunter:
    """Somebody with many wallets."""

    def __init__(self, economy: Economy, number: int, wallets: int) -> None:
        world = economy.world
        self.owner = world.truth.owner(Party.HUNTER, f"airdrop hunter {number}")
        self.funder = world.wallet(self.owner)
        self.wallets = [world.wallet(self.owner) for _ in range(wallets)]
        self.exchange: Exchange = economy.exchanges[number % len(economy.exchanges)]
        self.to_exchange = number % HUNTERS == HUNTERS - 1
        """What is gathered goes straight to the hunter's deposit address."""
        self.collector = self.exchange.deposit_of(self.owner) if self.to_exchange else world.account(self.owner)
        self.funded = 0
        self.gathered = 0


class Airdrop:
    """`step` does what is due."""

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        owner = world.truth.owner(Party.ISSUER, "airdrop issuer")
        self.issuer = world.account(owner, Role.DISTRIBUTOR)
        world.fund(self.issuer, 30 * ETH)
        self.number = max(1_000, economy.total // 20)
        """Who gets it, hunters' wallets left out: people, and accounts that never do anything."""
        self.token: Token | None = None
        self.hunters: list[Hunter] = []
        self._due: list[Account] = []
        self._wallets = max(12, economy.total // 400)

    def step(self) -> bool:
        economy = self.economy
        if not economy.is_past(PREPARES):
            return False
        if len(self.hunters) < HUNTERS:
            self.hunters.append(Hunter(economy, len(self.hunters), self._wallets + 5 * len(self.hunters)))
        if not economy.is_past(DROPS):
            goal = sum(len(hunter.wallets) + 1 for hunter in self.hunters)
            if sum(hunter.funded for hunter in self.hunters) < economy.due(PREPARES, DROPS - 50, goal):
                return self._fund()
            return False
        if self.token is None:
            return self._launch()
        if self._due:
            some, self._due = self._due[:BATCH], self._due[BATCH:]
            gifts = [(to, AMOUNT * self.token.unit) for to in some]
            give(economy, Kind.AIRDROP, self.token, self.issuer, gifts, economy.multisender)
            return True
        goal = sum(len(hunter.wallets) for hunter in self.hunters)
        if sum(hunter.gathered for hunter in self.hunters) < economy.due(GATHERS, ENDS, goal):
            return self._gather(self.token)
        return False

    def _fund(self) -> bool:
        """A hunter's funder is funded by an exchange, and funds the wallets."""
        world = self.economy.world
        hunter = min(self.hunters, key=lambda each: each.funded)
        need = len(hunter.wallets) * 3 * CENT
        if world.spendable(hunter.funder) < 3 * CENT:
            if not hunter.exchange.can_pay(need * 2):
                return False
            hunter.exchange.withdraw(hunter.funder, need * 2, hunter.owner)
            hunter.funded += not hunter.funded
            return True
        if hunter.funded > len(hunter.wallets):
            return False
        wallet = hunter.wallets[hunter.funded - 1]
        world.pay(Kind.CONSOLIDATION, hunter.funder, wallet, 2 * CENT + world.rng.randrange(CENT))
        hunter.funded += 1
        return True

    def _launch(self) -> bool:
        world = self.economy.world
        token = self.token = issue(world, self.issuer, "Sample Airdrop Token", "SAT")
        chosen: dict[int, Account] = {}
        for _ in range(self.number // 2):
            wallet = self.economy.anybody().wallet
            chosen[wallet.row] = wallet
        self._due = [*chosen.values()]
        while len(self._due) < self.number:
            self._due.append(world.account(world.truth.owner(Party.USER)))
        for hunter in self.hunters:
            self._due += hunter.wallets[: max(0, hunter.funded - 1)]
        world.rng.shuffle(self._due)
        supply = 2 * len(self._due) * AMOUNT * token.unit
        run = world.begin(Kind.DISTRIBUTION, self.issuer, token.contract, 0, abi.call(abi.MINT_CALL, supply))
        token.mint(run, self.issuer, supply)
        run.done()
        token.approve(self.issuer, self.economy.multisender, supply)
        return True

    def _gather(self, token: Token) -> bool:
        """A wallet gives what it got to the hunter's collector."""
        world = self.economy.world
        hunter = min(self.hunters, key=lambda each: (each.gathered - len(each.wallets), each.owner))
        if hunter.gathered >= len(hunter.wallets):
            return False
        wallet = hunter.wallets[hunter.gathered]
        hunter.gathered += 1
        amount = token.of(wallet)
        if not amount or not world.spendable(wallet):
            return False
        world.truth.relate(Relation.AIRDROP_FORWARDED, wallet.row, hunter.collector.row)
        token.send(Kind.AIRDROP_FORWARD, wallet, hunter.collector, amount)
        if hunter.to_exchange:
            hunter.exchange.came(hunter.collector, token)
        return True


class ClaimDrop:
    """A drop that people claim, for a fee that is the same for all, or for nothing."""

    def __init__(self, economy: Economy, fee: int) -> None:
        world = economy.world
        self.economy = economy
        self.fee = fee
        owner = world.truth.owner(Party.ISSUER, "claim issuer" if fee else "free claim issuer")
        self.issuer = world.account(owner, Role.DISTRIBUTOR)
        world.fund(self.issuer, 10 * ETH)
        self.number = max(40, economy.total // 150)
        self._contract: Account | None = None
        self._claimed: set[int] = set()

    def step(self) -> bool:
        economy, world = self.economy, self.economy.world
        if not economy.is_past(CLAIMS_OPEN):
            return False
        if self._contract is None:
            self.token = issue(world, self.issuer, "Sample Claim Token", "CLM")
            self._contract = world.deploy(self.issuer, Role.CLAIM, CODE * 6)
            world.truth.no_sales.append(("claim", self._contract.row, self.token.number))
            return True
        if len(self._claimed) >= economy.due(CLAIMS_OPEN, CLAIMS_CLOSE, self.number):
            return False
        person = economy.spender(2 * CENT)
        if person is None or person.wallet.row in self._claimed:
            return False
        return self._claim(self._contract, person.wallet)

    def _claim(self, contract: Account, holder: Account) -> bool:
        world = self.economy.world
        number = len(self._claimed)
        self._claimed.add(holder.row)
        amount = world.between(50, 3_000) * self.token.unit + world.rng.randrange(self.token.unit)
        proof = keccak256(b"leaf %d" % number)
        data = abi.call(abi.CLAIM_CALL, number, holder.address, amount, proof)
        run = world.begin(Kind.CLAIM, holder, contract, self.fee, data)
        run.log(contract, (abi.CLAIMED,), abi.word(number) + abi.word(holder.address) + abi.word(amount))
        self.token.mint(run, holder, amount)
        run.done()
        return True
