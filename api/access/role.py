"""The role that the service works as: it holds nothing, is no superuser and cannot bypass row security.

Roles are of a whole server, databases are many, and a service may run on several machines: the role's name is made of
the database's id and the home folder. Its password stands in the home folder, for this user alone, and is made anew
where that file is lost. Where somebody else manages roles, HEADWATER_SERVICE_DATABASE_URL names one, and this module
only gives it its rights.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from api.instance import Instance
from chain.errors import StoreError, StoreUnavailable
from chain.store import access
from chain.store.postgres import Connection, connected

FILE = "service.password"


async def service_url(instance: Instance) -> str:
    """The URL by which the service works, after its role was made or looked at. StoreError where it may too much."""
    async with connected(instance.url) as connection:
        given = instance.settings.service_database_url
        url = await _own(instance, connection) if given is None else given.get_secret_value()
        role = urlsplit(url).username or ""
        await _refuse(connection, role)
        try:
            await access.grant(connection, role)
        except asyncpg.InsufficientPrivilegeError as error:
            raise StoreError(f"the role of HEADWATER_DATABASE_URL cannot grant to the service's: {error}") from error
    return url


async def role_name(instance: Instance, connection: Connection) -> str:
    """The role's name: of the setting, or the one that is made here."""
    given = instance.settings.service_database_url
    if given is not None:
        return urlsplit(given.get_secret_value()).username or ""
    of = f"{await access.database_id(connection)}:{instance.home}"
    return f"headwater_service_{hashlib.sha256(of.encode()).hexdigest()[:12]}"


async def _own(instance: Instance, connection: Connection) -> str:
    role = await role_name(instance, connection)
    path = instance.home / FILE
    password = path.read_text().strip() if path.exists() else ""
    if not password or not await access.role_exists(connection, role):
        password = secrets.token_urlsafe(24)
        try:
            await access.set_role(connection, role, password)
        except asyncpg.InsufficientPrivilegeError as error:
            raise StoreError(
                "the role of HEADWATER_DATABASE_URL cannot make one for the service: "
                "name one in HEADWATER_SERVICE_DATABASE_URL"
            ) from error
        _keep(path, password)
    parts = urlsplit(instance.url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role)}:{quote(password)}@{host}"))


async def _refuse(connection: Connection, role: str) -> None:
    faults = await access.role_faults(connection, role)
    if faults:
        raise StoreError(f"the service's role {role} {' and '.join(faults)}: row security would not hold")


def _keep(path: Path, password: str) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(password)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise StoreUnavailable(f"cannot write {path}: {error}") from error
