"""What `headwater doctor` looks at: this machine, the database, the folders."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from api.access.role import role_name
from api.companies import names
from api.instance import Instance, open_instance
from chain.bitcoin.hashes import load_libcrypto
from chain.errors import HeadwaterError
from chain.load import open_columns
from chain.settings import Settings
from chain.store.access import role_exists, role_faults
from chain.store.answers import AnswerStore
from chain.store.companies import CompanyStore
from chain.store.ledger import LedgerStore
from chain.store.postgres import Connection, connected

FREE_BYTES = 5 << 30
"""Room below which a load is likely to be cut short."""


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    ok: bool
    found: str
    do: str = ""

    def row(self) -> dict[str, object]:
        return {"check": self.check, "ok": self.ok, "found": self.found, "do": "" if self.ok else self.do}


async def examine(settings: Settings) -> list[Finding]:
    """Every check, also where an earlier one failed."""
    findings = [_python(), _libcrypto(), _kernels(), _room(settings.folder)]
    try:
        instance = await open_instance(settings)
        async with connected(instance.url) as connection:
            version = str(connection.get_server_version().major)
            findings.append(Finding("database", True, f"Postgres {version}"))
            findings += [await check(instance, connection) for check in _CHECKS]
    except HeadwaterError as error:
        advice = "look into the log that `headwater db status` names, or at HEADWATER_DATABASE_URL"
        findings.append(Finding("database", False, str(error), advice))
    return findings


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    return Finding("python", ok, platform.python_version(), "install Python 3.11 or newer and make .venv anew")


def _libcrypto() -> Finding:
    try:
        return Finding("libcrypto", True, load_libcrypto())
    except HeadwaterError as error:
        return Finding("libcrypto", False, str(error), "install the Debian package libssl3")


def _kernels() -> Finding:
    """Kernels are compiled at first use and kept; where they cannot be, every start takes seconds."""
    folder = Path(os.environ.get("NUMBA_CACHE_DIR", Path(__file__).parent.parent / "chain"))
    ok = os.access(folder if folder.exists() else folder.parent, os.W_OK)
    return Finding("kernel cache", ok, str(folder), "set NUMBA_CACHE_DIR to a folder that can be written")


def _room(home: Path) -> Finding:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    return Finding("free disk", free >= FREE_BYTES, f"{free >> 30} GiB at {there}", "make room or move HEADWATER_HOME")


async def _durability(_: Instance, connection: Connection) -> Finding:
    fsync = await connection.fetchval("show fsync")
    return Finding("fsync", fsync == "on", str(fsync), "turn fsync on: a commit must outlive a power failure")


async def _role(_: Instance, connection: Connection) -> Finding:
    """Commands work as the role that holds the tables; migrations need it to create."""
    role = await AnswerStore(connection).role()
    return Finding(
        "database role",
        role.may_create,
        f"{role.name}: {'can create' if role.may_create else 'can only read'}",
        "name a role in HEADWATER_DATABASE_URL with CREATE on its database",
    )


async def _service_role(instance: Instance, connection: Connection) -> Finding:
    """Row security must hold for the role that the service works as; one that was not made yet is made by `serve`."""
    role = await role_name(instance, connection)
    if instance.settings.service_database_url is None and not await role_exists(connection, role):
        return Finding("service role", True, f"{role}: made when the service starts")
    faults = await role_faults(connection, role)
    found = " and ".join(faults) or "holds nothing, and row security holds for it"
    return Finding(
        "service role", not faults, f"{role}: {found}",
        "HEADWATER_SERVICE_DATABASE_URL names a role with NOSUPERUSER and NOBYPASSRLS that is the holder of no table",
    )  # fmt: skip


async def _encoding(_: Instance, connection: Connection) -> Finding:
    """Names of companies in any script must be kept and found by their beginning, whatever the server's collation."""
    encoding = await connection.fetchval("show server_encoding")
    found = await CompanyStore(connection).finds(names.key("騰訊計算機"), names.key("腾讯"))
    said = f"{encoding}: names of any script are {'found' if found else 'not found'}"
    return Finding("encoding", encoding == "UTF8" and found, said, "make the database with encoding UTF8")


async def _columns(instance: Instance, connection: Connection) -> Finding:
    store = LedgerStore(connection)
    behind = []
    datasets = await store.datasets()
    for dataset in datasets:
        columns = await open_columns(store, dataset, instance.home)
        if columns.tx_count != dataset.counts["tx"]:
            behind.append(dataset.name)
    found = f"{len(datasets)} datasets" + (f", behind: {', '.join(behind)}" if behind else "")
    return Finding(
        "columns", not behind, found,
        "wait for the load that is at work, or run headwater columns rebuild",
    )  # fmt: skip


_CHECKS: tuple[Callable[[Instance, Connection], Awaitable[Finding]], ...] = (
    _role,
    _service_role,
    _durability,
    _encoding,
    _columns,
)
