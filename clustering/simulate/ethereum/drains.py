"""Offenders and those whom they harm: drained wallets, and people who pay a deposit address that an offender names.

What the victims of one offender have in common is the offender. Nothing that happens here joins two of them.
"""

from __future__ import annotations

from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.economy import Economy, Person
from clustering.simulate.ethereum.kinds import Kind, Party, Relation, Role
from clustering.simulate.ethereum.signing import authorize
from clustering.simulate.ethereum.tokens import CODE
from clustering.simulate.ethereum.truth import Harm
from clustering.simulate.ethereum.world import CENT, ETH

BEGINS, ENDS = 350, 850
"""Thousandths of the chain between which people are harmed."""
PAYING_VICTIMS = 5
"""Who pay one offender's deposit address."""
BURST = 6
"""Victims of a drainer's campaign, who come one after another."""
GONE_PERCENT = 70
"""Drained people who never use the wallet again."""
LEAVES_AFTER = 12
"""Victims after which the offender takes the money away."""


class DepositFraud:
    """An offender has victims pay the offender's own deposit address at an exchange."""

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        self.owner = world.truth.owner(Party.OFFENDER, "deposit fraudster")
        self.exchange = economy.exchanges[0]
        self.harm: Harm | None = None

    def step(self) -> bool:
        world = self.economy.world
        done = 0 if self.harm is None else len(self.harm.victims)
        if done >= self.economy.due(BEGINS, ENDS, PAYING_VICTIMS):
            return False
        if self.harm is None:
            at = self.exchange.deposit_of(self.owner)
            self.harm = Harm("shared deposit address", self.owner, at.row)
            world.truth.harms.append(self.harm)
        person = self.economy.spender(60 * CENT)
        if person is None or person.wallet.row in self.harm.victims:
            return False
        wei = world.between(5, world.spendable(person.wallet) // (11 * CENT)) * 10 * CENT
        done = self.economy.deposit(Kind.SCAM_PAYMENT, person.wallet, self.exchange, self.owner, wei)
        self.harm.victims.append(person.wallet.row)
        self.harm.txs.append(done)
        return True


class Drainer:
    """Empties wallets into one address: their ether by a call that they are talked into, tokens by an approval, both by
    an authorization of code (EIP-7702)."""

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        self.owner = world.truth.owner(Party.DRAINER, "drainer")
        self.operator = world.account(self.owner, Role.OPERATOR)
        self.trap = world.account(self.owner, Role.TRAP)
        self.exchange = economy.exchanges[1]
        world.fund(self.operator, 20 * ETH)
        self.number = max(36, economy.total // 150)
        self._contract: Account | None = None
        self._delegate: Account | None = None
        self._acts = (self._ether, self._tokens, self._by_code)
        forms = ("drained ether", "drained tokens", "drained by authorisation")
        self._harms = [Harm(form, self.owner, self.trap.row) for form in forms]
        world.truth.harms += self._harms
        self._taken = 0

    @property
    def victims(self) -> set[int]:
        return {row for harm in self._harms for row in harm.victims}

    def step(self) -> bool:
        economy, world = self.economy, self.economy.world
        if not economy.is_past(BEGINS):
            return False
        if self._contract is None:
            self._contract = world.deploy(self.operator, Role.OPERATOR, CODE * 6)
            self._delegate = world.deploy(self.operator, Role.DELEGATE, CODE * 4)
            self._contract.forward = self.trap
            return True
        victims = sum(len(harm.victims) for harm in self._harms)
        if victims // LEAVES_AFTER > self._taken and world.spendable(self.trap) > ETH:
            self._taken += 1
            wei = world.spendable(self.trap)
            economy.deposit(Kind.CASH_OUT, self.trap, self.exchange, self.owner, wei)
            return True
        if victims >= economy.due(BEGINS, ENDS, self.number) // BURST * BURST:
            return False
        return self._acts[victims % len(self._acts)]()

    def _note(self, harm: Harm, victim: Person, tx: int) -> bool:
        harm.victims.append(victim.wallet.row)
        harm.txs.append(tx)
        if self.economy.world.chance(GONE_PERCENT):
            self.economy.people.remove(victim)
        return True

    def _ether(self) -> bool:
        world, contract = self.economy.world, self._contract
        person = self.economy.spender(20 * CENT)
        if person is None or contract is None or person.wallet.row in self.victims:
            return False
        victim = person.wallet
        wei = world.spendable(victim) * (97 + world.rng.randrange(4)) // 100
        world.truth.relate(Relation.EMPTIED_INTO, victim.row, self.trap.row, contract.row)
        run = world.begin(Kind.DRAIN, victim, contract, wei, abi.DRAIN_CALL)
        return self._note(self._harms[0], person, run.done())

    def _tokens(self) -> bool:
        world, contract, dollar = self.economy.world, self._contract, self.economy.dollar
        person = self.economy.holder(dollar, 20 * dollar.unit)
        if person is None or contract is None or person.wallet.row in self.victims:
            return False
        victim = person.wallet
        dollar.approve(victim, contract, (1 << 256) - 1)
        data = abi.call(abi.TRANSFER_FROM_CALL, victim.address, self.trap.address, dollar.of(victim))
        world.truth.relate(Relation.EMPTIED_INTO, victim.row, self.trap.row, contract.row)
        run = world.begin(Kind.DRAIN, self.operator, contract, 0, data)
        dollar.move(run, victim, self.trap, dollar.of(victim))
        return self._note(self._harms[1], person, run.done())

    def _by_code(self) -> bool:
        """The victim signs that its code be the drainer's; the drainer sends it, and takes what there is."""
        world, delegate = self.economy.world, self._delegate
        person = self._with_dollars()
        if person is None or delegate is None:
            return False
        victim, dollar = person.wallet, self.economy.dollar
        assert victim.secret is not None, "people have keys"
        agreed = authorize(victim.secret, delegate.address, victim.nonce)
        world.truth.relate(Relation.EMPTIED_INTO, victim.row, self.trap.row, self.operator.row)
        run = world.begin(Kind.DRAIN, self.operator, victim, 0, abi.call(abi.EXECUTE_CALL, self.trap.address))
        run.authorize(agreed, victim, delegate)
        if victim.wei > CENT:
            run.pay(victim, self.trap, victim.wei - victim.wei // 50)
        if dollar.of(victim):
            dollar.move(run, victim, self.trap, dollar.of(victim))
        return self._note(self._harms[2], person, run.done())

    def _with_dollars(self) -> Person | None:
        dollar = self.economy.dollar
        person = self.economy.holder(dollar, dollar.unit) or self.economy.spender(20 * CENT)
        return None if person is None or person.wallet.row in self.victims else person
