"""What the generated Ethereum calls its parties, addresses, transactions and relations. The numbers are written to
files: append only."""

from __future__ import annotations

from enum import IntEnum

NOBODY = -1


class Party(IntEnum):
    """What an owner is."""

    NETWORK = 0
    """What stands in the genesis: the zero address, wrapped ether, the entry point, whoever builds blocks."""
    USER = 1
    EXCHANGE = 2
    ISSUER = 3
    """Sells or gives away a token."""
    STABLECOIN = 4
    DEX = 5
    STAKING = 6
    VAULT = 7
    COLLECTIBLES = 8
    MIXER = 9
    BROKER = 10
    """An over-the-counter broker."""
    DRAINER = 11
    OFFENDER = 12
    """Has victims pay a deposit address at an exchange."""
    POISONER = 13
    HUNTER = 14
    """Many wallets for one airdrop."""
    BUNDLER = 15
    PAYMASTER = 16
    SPONSOR = 17
    """Sends and pays for what others signed."""
    TOKEN_FACTORY = 18
    SPAMMER = 19
    CHARITY = 20
    FRAMER = 21
    """Gives a token to those who paid somebody else."""
    SERVICE = 22
    """Contracts that anybody uses: sending to many, batches of an account."""


class Role(IntEnum):
    """What an address is to its owner."""

    WALLET = 0
    SMART_WALLET = 1
    """An ERC-4337 account."""
    DEPOSIT = 2
    """A customer's account at a service; the service holds it."""
    HOT = 3
    COLD = 4
    GAS_TANK = 5
    OPERATOR = 6
    SALE = 7
    COLLECTOR = 8
    """Where proceeds are gathered."""
    DISTRIBUTOR = 9
    TOKEN = 10
    COUNTERFEIT = 11
    """A token that has another one's symbol."""
    POOL = 12
    ROUTER = 13
    VAULT = 14
    COLLECTION = 15
    WRAPPER = 16
    MIXER = 17
    FACTORY = 18
    ENTRY_POINT = 19
    PAYMASTER = 20
    BUNDLER = 21
    DELEGATE = 22
    """Code that accounts point to (EIP-7702)."""
    LOOK_ALIKE = 23
    """Made to resemble an address that a victim pays."""
    TRAP = 24
    """Where victims are emptied into."""
    MULTISENDER = 25
    DESK = 26
    BUILDER = 27
    HOP = 28
    """Passes money on once or twice, to hide the way."""
    CLAIM = 29
    """Gives an airdrop to who asks for it."""
    STAKER = 30
    ZERO = 31


class Relation(IntEnum):
    """What one address is to another, as it happened; none of them says that one party holds both."""

    PAID_DEPOSIT = 0
    """Paid a service's deposit address."""
    SWEPT_INTO = 1
    """A deposit address's money went on to the service."""
    DEPLOYED = 2
    """`via` is the factory, where one made the contract."""
    FIRST_FUNDED = 3
    """Sent an account the first ether that it had, where that did not come from the beacon chain."""
    AUTHORISED = 4
    """Signed that its code be that of the other (EIP-7702); `via` sent the transaction."""
    AIRDROP_FORWARDED = 5
    """Gave exactly what an airdrop brought to the other."""
    EMPTIED_INTO = 6
    """A victim's money went to an offender's address."""
    CONTROLS = 7
    """The first holds the key of the second, an ERC-4337 account."""


class Kind(IntEnum):
    """What a transaction is, as its maker knows."""

    PAYMENT = 0
    TOKEN_PAYMENT = 1
    WITHDRAWAL = 2
    """An exchange pays a customer."""
    BATCH_WITHDRAWAL = 3
    DEPOSIT = 4
    TOKEN_DEPOSIT = 5
    GAS_FUNDING = 6
    """An exchange sends a deposit address the gas that its tokens need to go on."""
    SWEEP = 7
    INTERNAL_STORAGE = 8
    """Between an exchange's hot and cold addresses."""
    DEPLOYMENT = 9
    FACTORY_DEPLOYMENT = 10
    APPROVAL = 11
    PURCHASE = 12
    LATE_PURCHASE = 13
    """After the sale's end: it fails."""
    REFUND = 14
    FORWARDING = 15
    """A sale's contract pays its collector."""
    PRESALE_PAYMENT = 16
    DISTRIBUTION = 17
    DONATION = 18
    AIRDROP = 19
    AIRDROP_FORWARD = 20
    CLAIM = 21
    SWAP = 22
    LIQUIDITY = 23
    WRAP = 24
    UNWRAP = 25
    STAKE = 26
    UNSTAKE = 27
    MINT_COLLECTIBLE = 28
    MIX_IN = 29
    MIX_OUT = 30
    BROKER_TRADE = 31
    CASH_OUT = 32
    """Of proceeds, or of what victims lost."""
    DRAIN = 33
    SCAM_PAYMENT = 34
    """A victim pays what an offender names."""
    POISON_ZERO = 35
    POISON_COUNTERFEIT = 36
    POISON_DUST = 37
    POISONED_PAYMENT = 38
    """A victim pays a look-alike."""
    USER_OPERATIONS = 39
    BATCH_BY_DELEGATE = 40
    """An account under EIP-7702 does several things at once, sent by itself or a sponsor."""
    SPAM = 41
    REBASE = 42
    CONSOLIDATION = 43
    """Between addresses of one owner."""
