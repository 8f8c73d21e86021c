"""What the files of a generated chain have in common: a folder that is whole or not there, and a manifest."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from chain.errors import MalformedData, StoreError

MANIFEST = "manifest.json"
_DIGEST_CHUNK = 1 << 20


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to write to, which takes its name at the end: a folder of this name is whole.

    StoreError where there is something in `folder`, or where it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} is there and not empty; name a new folder")
    part = folder.with_name(folder.name + ".partial")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_manifest(folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Add size and SHA-256 of every file to the facts, write and return them."""
    manifest = {**facts, "files": {path.name: _file_facts(path) for path in sorted(folder.iterdir())}}
    write_json(folder / MANIFEST, manifest)
    return manifest


def checked_manifest(folder: Path, truth: Sequence[str]) -> dict[str, Any]:
    """The manifest, where the files named `truth` are as they were written; MalformedData where they are not."""
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    for name in truth:
        if _file_facts(folder / name) != manifest["files"][name]:
            raise MalformedData(f"{folder / name} is not the file that the manifest names")
    return manifest


def write_json(path: Path, body: object) -> None:
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)


def _file_facts(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while chunk := handle.read(_DIGEST_CHUNK):
            digest.update(chunk)
    return {"size": path.stat().st_size, "sha256": digest.hexdigest()}
