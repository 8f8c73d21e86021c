"""Accounts whose code is somebody else's (EIP-7702): they do several things at once, and sponsors pay for some."""

from __future__ import annotations

from clustering.simulate.ethereum import abi
from clustering.simulate.ethereum.accounts import Account
from clustering.simulate.ethereum.economy import Economy, Person
from clustering.simulate.ethereum.kinds import Kind, Party, Role
from clustering.simulate.ethereum.signing import authorize
from clustering.simulate.ethereum.world import CENT, ETH


class Delegation:
    """A delegate that wallet programs use, and a sponsor."""

    def __init__(self, economy: Economy) -> None:
        world = economy.world
        self.economy = economy
        self.delegate = economy.open_contract(Role.DELEGATE)
        self.sponsor = world.account(world.truth.owner(Party.SPONSOR), Role.OPERATOR)
        world.fund(self.sponsor, 30 * ETH)

    def act(self) -> bool:
        """Somebody sends a batch by themselves, or signs what the sponsor sends."""
        person = self.economy.spender(6 * CENT)
        if person is None:
            return False
        if self.economy.world.chance(50):
            return self._batch(person, person.wallet)
        return self._batch(person, self.sponsor)

    def _batch(self, person: Person, sender: Account) -> bool:
        """Ether to two people, and dollars where there are any, in the name of the account."""
        economy, world, dollar = self.economy, self.economy.world, self.economy.dollar
        account = person.wallet
        assert account.secret is not None, "people have keys"
        agreed = authorize(account.secret, self.delegate.address, account.nonce + (sender is account))
        others = [economy.anybody().wallet for _ in range(2)]
        data = abi.EXECUTE_CALL + abi.array([other.address for other in others])
        run = world.begin(Kind.BATCH_BY_DELEGATE, sender, account, 0, data, actor=person.owner)
        run.authorize(agreed, account, self.delegate)
        for other in others:
            if other is not account:
                run.pay(account, other, world.between(1, 3) * CENT)
        if dollar.of(account) > 10 * dollar.unit and others[0] is not account:
            dollar.move(run, account, others[0], dollar.of(account) // 10)
        run.done()
        return True
