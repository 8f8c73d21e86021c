"""What ends a trace: every branch says which of these it was."""

from __future__ import annotations

from enum import IntEnum


class End(IntEnum):
    """Why money is followed no further. The number is stored in results: append only."""

    NONE = 0
    """It goes on."""
    LIVE = 1
    """It lies there: not moved since, as of the trace's last movement."""
    FEE = 2
    """Spent as a fee by its payer."""
    BURNED = 3
    """Nobody can spend it again."""
    ISSUED = 4
    """Backward: it was new money."""
    UNKNOWN_PARTY = 5
    """The source does not state to whom (backward: from whom) it went."""
    UNKNOWN_AMOUNT = 6
    """Amounts of the transaction are not stated, so nobody can say what went where."""
    SERVICE = 7
    """A labelled service."""
    COINJOIN = 8
    """A transaction of several parties; any of its outputs may be it."""
    HUB = 9
    """An unidentified high-degree address: it pays many distinct recipients."""
    DUST = 10
    """Less than the least value that is followed."""
    HOPS = 11
    """As many movements from the seed as were asked for."""
    DATE = 12
    """Moved on after the time up to which was asked."""
    CONVERTED = 13
    """Given for another asset by the same party in the same transaction; followed on as that asset."""
    LIMIT = 14
    """A limit of the run cut it here: the answer is a part."""
    MIXER = 15
    """A labelled mixer: nobody can say whose money comes out."""
    BRIDGE = 16
    """A labelled bridge: the money goes on on another chain."""
    POOL = 17
    """A labelled contract that many pay into and get out of."""
    LABELLED = 18
    """Any other labelled address; ends an exposure alone."""
    RECEIVED = 20
    """No end, but the other side of `CONVERTED`: what was received for it, with which the trace goes on."""


WORDS: dict[End, str] = {
    End.NONE: "goes on",
    End.LIVE: "live",
    End.FEE: "fee",
    End.BURNED: "burned",
    End.ISSUED: "issued",
    End.UNKNOWN_PARTY: "party not stated",
    End.UNKNOWN_AMOUNT: "amounts not stated",
    End.SERVICE: "labelled service",
    End.COINJOIN: "coinjoin",
    End.HUB: "unidentified high-degree address",
    End.DUST: "below the least value",
    End.HOPS: "number of hops",
    End.DATE: "date",
    End.CONVERTED: "converted",
    End.LIMIT: "limit of the run",
    End.MIXER: "labelled mixer",
    End.BRIDGE: "labelled bridge",
    End.POOL: "labelled pool",
    End.LABELLED: "labelled address",
    End.RECEIVED: "received in a conversion",
}
"""As results name them."""
