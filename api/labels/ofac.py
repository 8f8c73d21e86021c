"""Lists of sanctioned addresses, one a line (or a JSON list), one file an asset: `sanctioned_addresses_XBT.txt`.

The form is that of 0xB10C/ofac-sanctioned-digital-currency-addresses, which takes the addresses out of the US
Treasury's SDN list. A file says nothing but addresses; the asset stands in its name alone.
"""

from __future__ import annotations

import re
from pathlib import PurePath

import msgspec

from api.labels.pack import MAX_ROWS, Pack, check_any
from chain.errors import LimitExceeded, MalformedData
from chain.store.labels import Claim

FORMAT = "ofac"

CREATOR = "US Treasury, Office of Foreign Assets Control"
TITLE = "Specially Designated Nationals list: digital currency addresses, {asset}"
LABEL = "Address on the US Treasury's OFAC SDN list"
SOURCE = "https://www.treasury.gov/ofac/downloads/sdnlist.txt"
CATEGORY = None
ABUSE = "sanction"
CONFIDENCE = "authority_data"

_NAME = re.compile(r"_([A-Za-z0-9]{2,12})\.(?:txt|json)$")
_ASSET = re.compile(r"[A-Za-z0-9]{2,12}")


def asset_of(name: str) -> str | None:
    """The asset in a file's name, without the suffix of its compression: `…_XBT.txt.xz` -> `XBT`."""
    while PurePath(name).suffix in (".xz", ".gz", ".zst", ".bz2"):
        name = PurePath(name).stem
    found = _NAME.search(name)
    return found[1].upper() if found else None


def read(file: str, data: bytes, asset: str | None) -> Pack:
    """A list of addresses; MalformedData where nobody says of which asset, or it is no such list."""
    asset = asset or asset_of(PurePath(file).name)
    if asset is None or not _ASSET.fullmatch(asset):
        raise MalformedData(f"{file}: the asset is not in the name (…_XBT.txt); --asset says it")
    pack = Pack(FORMAT, file, TITLE.format(asset=asset), CREATOR, uri=SOURCE, place_name="line")
    claim = Claim(LABEL, asset, category=CATEGORY, abuse=ABUSE, confidence=CONFIDENCE, source=SOURCE)
    number = pack.number(claim)
    for place, address in _addresses(pack, file, data):
        pack.add(place, address, number)
    if len(pack.address) > MAX_ROWS:
        raise LimitExceeded(f"{file}: more than {MAX_ROWS:,} addresses")
    check_any(pack)
    return pack


def _addresses(pack: Pack, file: str, data: bytes) -> list[tuple[int, str]]:
    data = data.removeprefix(b"\xef\xbb\xbf")
    if data.lstrip()[:1] == b"[":
        pack.place_name = "item"
        try:
            return list(enumerate(msgspec.json.decode(data, type=list[str]), 1))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedData(f"{file}: no JSON list of addresses: {error}") from None
    found = []
    for place, line in enumerate(data.split(b"\n"), 1):
        text = line.decode("utf-8", "surrogateescape").strip(" \t\r")
        if text:
            found.append((place, text))
    return found
