"""The tree of expected errors; `docs/errors.md` lists it for callers.

    HeadwaterError
    ├── SourceError                 what was to be read could not be read
    │   ├── TruncatedData           the bytes end before the structure does
    │   ├── MalformedData           the bytes or rows are not what the format says
    │   └── NodeError               a node refused, timed out or answered nonsense
    ├── AddressError                a text is not an address (with the position)
    ├── IntegrityError              a named check of chain/*/verify.py failed
    ├── StoreError                  the database or a folder is not as it must be
    │   ├── StoreUnavailable        no connection, no room, read-only
    │   └── StoreBusy               another writer holds the dataset
    ├── NotFound                    a named thing does not exist
    └── LimitExceeded               a caller asked for more than a documented bound

A docstring is the default message. `problem_type` and `status` are the one mapping to RFC 9457
problems; nothing else in the code knows HTTP statuses of errors.
"""

from __future__ import annotations

from collections.abc import Mapping


class HeadwaterError(Exception):
    """Something that Headwater expects to go wrong went wrong."""

    problem_type = "error"
    status = 500

    @property
    def headers(self) -> Mapping[str, str]:
        """What an HTTP answer says beside the problem."""
        return {}

    def __init__(self, message: str | None = None) -> None:
        doc = (type(self).__doc__ or "").strip().splitlines()
        super().__init__(message if message is not None else doc[0] if doc else type(self).__name__)


class SourceError(HeadwaterError):
    """A source of chain data could not be read."""

    problem_type = "source"
    status = 422


class TruncatedData(SourceError):
    """The data ends in the middle of a structure."""

    problem_type = "truncated-data"


class MalformedData(SourceError):
    """The data is not what its format says."""

    problem_type = "malformed-data"


class NodeError(SourceError):
    """A node refused, timed out or answered nonsense."""

    problem_type = "node"
    status = 502


class AddressError(HeadwaterError):
    """The text is not an address of this chain and network.

    `position` is the index of the first character that cannot be right, or None where the whole
    text is wrong (a length, a missing prefix, a base58 checksum, which does not localise).
    """

    problem_type = "invalid-address"
    status = 422

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class IntegrityError(HeadwaterError):
    """A block failed a named check; nothing of its batch was stored.

    `check` is the name that `docs/verification.md` lists; `place` says where (height, hash,
    transaction, index).
    """

    problem_type = "integrity"
    status = 422

    def __init__(self, check: str, place: str, detail: str) -> None:
        super().__init__(f"{check}: {place}: {detail}")
        self.check = check
        self.place = place
        self.detail = detail


class StoreError(HeadwaterError):
    """The store is not as it must be."""

    problem_type = "store"


class StoreUnavailable(StoreError):
    """The database cannot be used now."""

    problem_type = "store-unavailable"
    status = 503


class StoreBusy(StoreError):
    """Another process writes to this dataset."""

    problem_type = "store-busy"
    status = 503


class NotFound(HeadwaterError):
    """There is no such thing."""

    problem_type = "not-found"
    status = 404


class LimitExceeded(HeadwaterError):
    """More was asked for than a documented bound allows."""

    problem_type = "limit-exceeded"
    status = 422
