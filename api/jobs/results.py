"""Results of jobs on disk: one folder an attempt, on the disk before it is published, named by a row of Postgres.

    HEADWATER_HOME/jobs/<job>/<attempt>/

A folder of which no row says that it is the job's is of an attempt that was lost, and is removed with the next one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from chain.errors import NotFound
from chain.store.jobs import Job

CHUNK = 1 << 20


def folder_of(home: Path, job_id: uuid.UUID, attempt: int) -> Path:
    return home / "jobs" / str(job_id) / str(attempt)


def sealed(folder: Path) -> dict[str, Any]:
    """Size and SHA-256 of each file of a folder, once all of it is on the disk."""
    files = {}
    for path in sorted(folder.iterdir()):
        digest = hashlib.sha256()
        with open(path, "rb") as handle:
            while piece := handle.read(CHUNK):
                digest.update(piece)
            os.fsync(handle.fileno())
        files[path.name] = {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}
    for each in (folder, folder.parent, folder.parent.parent):
        _sync(each)
    return files


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def clear_others(home: Path, job: Job) -> None:
    """Remove the folders of other attempts than the job's newest."""
    parent = folder_of(home, job.job_id, 0).parent
    for path in parent.iterdir() if parent.is_dir() else ():
        if path.name.split(".")[0] != str(job.attempt):
            shutil.rmtree(path, ignore_errors=True)


def file_of(home: Path, job: Job, name: str) -> tuple[Path, dict[str, Any]]:
    """A published file and what is known of it; NotFound where the job has none of that name."""
    files = (job.result or {}).get("files", {})
    if name not in files:
        raise NotFound(f"job {job.job_id} has no result of this name")
    path = folder_of(home, job.job_id, job.attempt).joinpath(name)
    if not path.is_file():
        raise NotFound(f"this result of job {job.job_id} is not on this machine any more; its SHA-256 is kept")
    return path, files[name]
