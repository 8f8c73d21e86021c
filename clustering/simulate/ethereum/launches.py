"""Tokens that come and go: made by people and by a factory, spam with a hostile name, some that do otherwise than they
say, and those of a launchpad."""

from __future__ import annotations

from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.economy import Economy
from clustering.simulate.ethereum.kinds import Kind, Party, Role
from clustering.simulate.ethereum.markets import Market
from clustering.simulate.ethereum.presale import give
from clustering.simulate.ethereum.tokens import CODE, MILLION, Token, init_code, issue
from clustering.simulate.ethereum.world import CENT, ETH

HOSTILE_NAME = "=cmd()|' /C calc'!A0\x00\u202e\u2066nekot"
"""A formula, NUL, and marks that turn the direction of writing."""
FEE_PPM = 30_000
REBASED_PERCENT = 5
LAUNCHPAD_OPENS, LAUNCHPAD_CLOSES = 650, 820
LAUNCHPAD_TOKENS = 3
LAUNCHPAD_RATES = (500, 2_000, 8_000)


class Launches:
    """Deployers, the factory, spam, and two tokens that do otherwise than their logs say."""

    def __init__(self, economy: Economy, market: Market) -> None:
        world = economy.world
        self.economy = economy
        self.market = market
        self.maker = world.account(world.truth.owner(Party.TOKEN_FACTORY, "token factory"), Role.OPERATOR)
        self.spammer = world.account(world.truth.owner(Party.SPAMMER, "spammer"), Role.OPERATOR)
        self.odd = world.account(world.truth.owner(Party.ISSUER, "issuer of odd tokens"), Role.OPERATOR)
        for account, ether in ((self.maker, 20), (self.spammer, 20), (self.odd, 200)):
            world.fund(account, ether * ETH)
        world.settle()
        self.factory = world.deploy(self.maker, Role.FACTORY, CODE * 10)
        self.spam = issue(world, self.spammer, HOSTILE_NAME, "=1+1", traits=())
        self.taxed = self._odd("Taxed Token", "TAX", FEE_PPM, ("fee-on-transfer",))
        self.elastic = self._odd("Elastic Token", "ELA", 0, ("rebasing",))
        self._made = 0

    def _odd(self, name: str, symbol: str, fee_ppm: int, traits: tuple[str, ...]) -> Token:
        """A token with a market."""
        world = self.economy.world
        token = issue(world, self.odd, name, symbol, fee_ppm=fee_ppm, traits=traits)
        run = world.begin(Kind.DISTRIBUTION, self.odd, token.contract, 0, abi.call(abi.MINT_CALL, MILLION))
        token.mint(run, self.odd, MILLION * token.unit)
        run.done()
        self.market.open_pool(self.odd, token, MILLION // 2 * token.unit, 60 * ETH)
        return token

    def deploy(self) -> bool:
        """Somebody makes a token, alone or at the factory; it stays with its maker."""
        world = self.economy.world
        person = self.economy.spender(30 * CENT)
        if person is None:
            return False
        self._made += 1
        name, symbol = f"Token {self._made}", f"T{self._made}"
        if world.chance(50):
            token = issue(world, person.wallet, name, symbol)
            run = world.begin(Kind.DISTRIBUTION, person.wallet, token.contract, 0, abi.call(abi.MINT_CALL, MILLION))
        else:
            made = world.salted(self.factory, self._made, person.owner, Role.TOKEN)
            token = Token(world, made, name, symbol)
            data = abi.CREATE_TOKEN_CALL + init_code(name, symbol, 18)[len(CODE) :]
            run = world.begin(Kind.FACTORY_DEPLOYMENT, person.wallet, self.factory, CENT, data)
            run.create(self.factory, made)
        token.mint(run, person.wallet, MILLION * token.unit)
        run.done()
        return True

    def unasked(self) -> bool:
        """Spam to people who never asked for it."""
        world = self.economy.world
        some = {world.rng.randrange(len(self.economy.people)) for _ in range(20)}
        run = world.begin(Kind.SPAM, self.spammer, self.spam.contract, 0, abi.MINT_CALL)
        for place in sorted(some):
            self.spam.mint(run, self.economy.people[place].wallet, 1_000 * self.spam.unit)
        run.done()
        return True

    def misbehave(self) -> bool:
        """A transfer of the taxed token, or a rebase of the elastic one: balances grow, and no transfer says so."""
        world, economy = self.economy.world, self.economy
        if world.chance(30):
            data = abi.call(abi.REBASE_CALL, self._made, REBASED_PERCENT)
            run = world.begin(Kind.REBASE, self.odd, self.elastic.contract, 0, data)
            held = self.elastic.held
            for row, amount in held.items():
                held[row] = amount + amount * REBASED_PERCENT // 100
            self.elastic.supply = sum(held.values())
            run.log(self.elastic.contract, (abi.REBASED, abi.word(self._made)), abi.word(self.elastic.supply))
            run.done()
            return True
        token = self.taxed if world.chance(50) else self.elastic
        holder = economy.holder(token, 100)
        if holder is None:
            some = [(economy.anybody().wallet, 50 * token.unit)]
            give(economy, Kind.TOKEN_PAYMENT, token, self.odd, some, None)
            return True
        token.send(Kind.TOKEN_PAYMENT, holder.wallet, economy.anybody().wallet, token.of(holder.wallet))
        return True


class Launchpad:
    """One contract that sells tokens of several issuers."""

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        owner = world.truth.owner(Party.SERVICE, "launchpad")
        self._operator = world.account(owner, Role.OPERATOR)
        world.fund(self._operator, 20 * ETH)
        self.number = max(120, economy.total // 80)
        self._contract: Account | None = None
        self._tokens: list[Token] = []
        self._sold = 0

    def step(self) -> bool:
        economy, world = self.economy, self.economy.world
        if not economy.is_past(LAUNCHPAD_OPENS):
            return False
        if self._contract is None:
            self._contract = world.deploy(self._operator, Role.SALE, CODE * 8)
            return True
        if len(self._tokens) < LAUNCHPAD_TOKENS:
            number = len(self._tokens) + 1
            token = issue(world, self._operator, f"Launchpad Token {number}", f"LP{number}")
            self._tokens.append(token)
            world.truth.no_sales.append(("launchpad", self._contract.row, token.number))
            return True
        if self._sold >= economy.due(LAUNCHPAD_OPENS, LAUNCHPAD_CLOSES, self.number):
            return False
        return self._sell(self._contract)

    def _sell(self, contract: Account) -> bool:
        world = self.economy.world
        person = self.economy.anybody()
        wei = world.between(5, 60) * CENT
        if not self.economy.supply(person, wei):
            return False
        place = self._sold % LAUNCHPAD_TOKENS
        run = world.begin(Kind.PURCHASE, person.wallet, contract, wei, abi.call(abi.BUY_CALL, person.wallet.address))
        self._tokens[place].mint(run, person.wallet, wei * LAUNCHPAD_RATES[place])
        run.done()
        self._sold += 1
        return True
