"""Payments of consumers: each function makes one transaction and says whether it could."""

from __future__ import annotations

from random import Random

from clustering.simulate import profile
from clustering.simulate.economy import Economy
from clustering.simulate.kinds import Kind
from clustering.simulate.wallet import Coin, Policy, Wallet, take
from clustering.simulate.world import DUST, Output, data_address

LEAST = 3_000
"""Satoshi; no consumer pays or keeps less."""
UNITS = (10_000, 10_000, 100_000, 100_000, 1_000_000, 10_000_000)
"""Payments are often round: the units that they are rounded down to."""
TOKEN_INPUTS = 6


def pay_fresh(economy: Economy) -> bool:
    """A payment from a wallet whose every address is fresh: one input mostly, two outputs."""
    draw = economy.world.rng.random() * 1000
    number = 1 if draw < 796 else 2 if draw < 929 else 3 + int(economy.world.rng.random() * 2)
    wallet = economy.spender(Policy.FRESH, number)
    if wallet is None:
        return False
    coins, least = take(economy.world.rng, wallet.coins, number, wallet.make.selection)
    return pay(economy, wallet, coins, least)


def pay_reuse(economy: Economy) -> bool:
    """A payment whose change goes back to the address that the coins were on."""
    wallet = economy.spender(Policy.REUSE)
    if wallet is None:
        return False
    number = min(len(wallet.coins), 1 + int(economy.world.rng.random() * 4))
    coins, least = take(economy.world.rng, wallet.coins, number, wallet.make.selection)
    return pay(economy, wallet, coins, least)


def pay_static(economy: Economy) -> bool:
    """A payment of a wallet with one address to receive: its change is seen to be its own when all is spent together.

    Coins of the known address are spent first, one at a time; changes when there are three, together with one of those.
    """
    wallet = economy.spender(Policy.STATIC)
    if wallet is None:
        return False
    here = [coin for coin in wallet.coins if coin[2] is wallet.own]
    changes = [coin for coin in wallet.coins if coin[2] is not wallet.own]
    if not here:
        return False
    chosen = [here[0], *changes] if len(changes) >= 1 + int(economy.world.rng.random() * 3) else [here[0]]
    taken = set(map(id, chosen))
    wallet.coins[:] = [coin for coin in wallet.coins if id(coin) not in taken]
    chosen.sort(key=lambda coin: -coin[1])
    # The group's stock counts coins of known addresses alone: with changes its wallets could not go on.
    stock = wallet.group.stock
    done = pay(economy, wallet, chosen, sum(coin[1] for coin in chosen[:-1]) if len(chosen) == 2 else 0)
    wallet.group.stock = stock - done
    return done


def pay(
    economy: Economy,
    wallet: Wallet,
    coins: list[Coin],
    least: int,
    to: Output | None = None,
    kind: Kind = Kind.PAYMENT,
) -> bool:
    """Pay from coins that were taken out of the wallet, an amount above `least`; puts them back where it cannot be.

    `to`: the payment, where it is settled already.
    """
    world = economy.world
    form = wallet.make.form
    fee = world.fee(coins, (form, form), wallet.make.fee_habit)
    most = sum([coin[1] for coin in coins]) - fee - LEAST
    least = max(least - fee - LEAST, LEAST)
    if most <= least or (to is not None and to[0] > most):
        wallet.coins += coins
        return False
    if to is None:
        amount = amount_between(world.rng, least, most)
        address, sink = economy.payee(wallet, profile.TO_CONSUMER)
        to = amount, address, sink
    wallet.group.stock += 1 - len(coins)
    change = economy.change_of(wallet, most + LEAST - to[0])
    world.send(kind, wallet.owner, coins, [to], change, wallet.make)
    return True


def amount_between(rng: Random, least: int, most: int) -> int:
    """An amount in (least, most], small ones more likely; a round one where there is one, in half of the cases."""
    part = int(rng.random() * 1024) * int(rng.random() * 1024)
    amount = least + 1 + (most - least - 1) * part // (1 << 20)
    if rng.random() < 0.55:
        unit = UNITS[int(rng.random() * len(UNITS))]
        if amount // unit * unit > least:
            return amount // unit * unit
    return amount


def pay_two(economy: Economy) -> bool:
    """A payment to two payees at once: three outputs."""
    wallet = economy.spender(Policy.FRESH)
    if wallet is None:
        return False
    world = economy.world
    coins, _ = take(world.rng, wallet.coins, 1, wallet.make.selection)
    form = wallet.make.form
    fee = world.fee(coins, (form, form, form), wallet.make.fee_habit)
    most = coins[0][1] - fee - LEAST
    if most < 4 * LEAST:
        wallet.coins += coins
        return False
    payments: list[Output] = []
    for share in (most // 3, most // 2):
        amount = amount_between(world.rng, LEAST, share)
        payments.append((amount, *economy.payee(wallet, profile.TO_CONSUMER)))
    change = economy.change_of(wallet, most + LEAST - sum(output[0] for output in payments))
    world.send(Kind.PAY_TWO, wallet.owner, coins, payments, change, wallet.make)
    return True


def pay_all(economy: Economy) -> bool:
    """Whole coins to one payee, no change: the smallest ones, or what happens to fit (branch and bound)."""
    world = economy.world
    draw = world.rng.random()
    wallet = economy.mixer_with_coins() if draw < 0.35 else None
    wallet = wallet or economy.spender(Policy.FRESH if draw < 0.50 else Policy.REUSE)
    if wallet is None:
        return False
    number = min(len(wallet.coins), 1 if world.rng.random() < 0.65 else 3)
    wallet.coins.sort(key=lambda coin: (-coin[1], coin[0]))
    coins = [wallet.coins.pop() for _ in range(number)]
    while wallet.coins and sum(coin[1] for coin in coins) < 20_000:
        coins.append(wallet.coins.pop())
    fee = world.fee(coins, (wallet.make.form,), wallet.make.fee_habit)
    value = sum(coin[1] for coin in coins) - fee
    if value < 2 * DUST:
        wallet.coins += coins
        return False
    wallet.group.stock -= len(coins)
    if world.rng.random() * 1000 < profile.SAVED:
        vault = world.address(wallet.owner, wallet.make.form)
        world.send(Kind.SAVING, wallet.owner, coins, [(value, vault, None)], None, wallet.make)
        return True
    address, sink = economy.payee(wallet, profile.TO_CONSUMER // 2)
    world.send(Kind.PAY_ALL, wallet.owner, coins, [(value, address, sink)], None, wallet.make)
    return True


def token_transfer(economy: Economy, notes: bool) -> bool:
    """A message of a token protocol: change to the holder's address, OP_RETURN, and with `notes` a reference output.

    Form of the Omni layer's class C: the reference output pays the payee's address 546 satoshi.
    """
    world = economy.world
    wallet = economy.spender(Policy.TOKEN)
    if wallet is None:
        return False
    coins, _ = take(world.rng, wallet.coins, min(TOKEN_INPUTS, len(wallet.coins)), wallet.make.selection)
    form = wallet.make.form
    fee = world.fee(coins, (form, form, form), wallet.make.fee_habit)
    left = sum(coin[1] for coin in coins) - fee - (DUST if notes else 0)
    if left < LEAST:
        wallet.coins += coins
        return False
    wallet.group.stock += 1 - len(coins)
    payments: list[Output] = [(0, data_address(b"omni" + world.rng.getrandbits(128).to_bytes(16, "big")), None)]
    if notes:
        group = economy.draw(Policy.TOKEN)
        payee = group.wallets[int(world.rng.random() * len(group.wallets))]
        group.stock += 1
        payments.append((DUST, economy.show(payee), payee.coins))
    change = economy.change_of(wallet, left)
    world.send(Kind.TOKEN_TRANSFER, wallet.owner, coins, payments, change, wallet.make)
    return True


def burn(economy: Economy) -> bool:
    """A small coin given up for an OP_RETURN output."""
    world = economy.world
    wallet = economy.spender(Policy.FRESH)
    if wallet is None:
        return False
    coin = min(wallet.coins, key=lambda coin: (coin[1], coin[0]))
    if not 1_000 <= coin[1] <= 1_000_000:
        return False
    wallet.coins.remove(coin)
    wallet.group.stock -= 1
    mark: Output = (0, data_address(b"proof of existence"), None)
    world.send(Kind.BURN, wallet.owner, [coin], [mark], None, wallet.make)
    return True
