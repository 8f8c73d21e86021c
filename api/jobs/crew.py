"""The workers of a service: processes beside it, started again where they end, stopped with it."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

from api.jobs.worker import PARENT
from chain.settings import Settings

CHECK_SECONDS = 1
STOP_SECONDS = 15
"""What a worker may take to put back what it does, before it is killed."""

log = logging.getLogger("headwater")


@contextlib.contextmanager
def crew(count: int, settings: Settings) -> Iterator[None]:
    """`count` workers on the same instance while the block runs."""
    env = {**os.environ, "HEADWATER_HOME": str(settings.folder), PARENT: str(os.getpid())}
    ending = threading.Event()
    workers: list[subprocess.Popen[bytes]] = [_start(env) for _ in range(count)]
    watch = threading.Thread(target=_keep, args=(workers, env, ending), daemon=True)
    watch.start()
    try:
        yield
    finally:
        ending.set()
        watch.join()
        for worker in workers:
            worker.terminate()
        for worker in workers:
            try:
                worker.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def _start(env: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "api.cli", "worker"], env=env, stdin=subprocess.DEVNULL)


def _keep(workers: list[subprocess.Popen[bytes]], env: dict[str, str], ending: threading.Event) -> None:
    while not ending.wait(CHECK_SECONDS):
        for place, worker in enumerate(workers):
            if worker.poll() is not None:
                log.warning("a worker ended with code %s and is started again", worker.returncode)
                workers[place] = _start(env)
