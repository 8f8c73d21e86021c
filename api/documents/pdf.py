"""Passages of a PDF file, read by pypdf in a process of its own with bounded memory and time.

A page of a few bytes can unfold into gigabytes, and a damaged file can keep a reader busy for ever; the child that
reads it is ended then, and the file is told to have passed the limit. Pages without any text (scans) are named.

python -m api.documents.pdf FILE MAX_CHARACTERS: one JSON line for each page.
"""

from __future__ import annotations

import json
import logging
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from api.documents.passage import Passage
from chain.errors import LimitExceeded, MalformedData

MAX_MEMORY = 2 << 30
MAX_SECONDS = 120
MAX_PAGES = 5_000


def passages(path: Path, name: str, most: int) -> Iterator[Passage]:
    """Pages in order with what is behind their links; one without text is empty. MalformedData, LimitExceeded."""
    command = [sys.executable, "-m", "api.documents.pdf", str(path), str(most)]
    limit = MAX_SECONDS + 10
    try:
        done = subprocess.run(command, capture_output=True, timeout=limit, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise LimitExceeded(f"{name}: pdf_seconds: it takes more than {MAX_SECONDS} s to read") from None
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    for each in lines:
        if "fault" in each:
            raise (LimitExceeded if each["limit"] else MalformedData)(f"{name}: {each['fault']}")
    if done.returncode != 0:
        raise LimitExceeded(f"{name}: pdf_memory: it passes {MAX_MEMORY >> 30} GiB or {MAX_SECONDS} s when it is read")
    for each in lines:
        yield Passage(each["text"] if each["text"].strip() else "", page=each["page"])
        for link in each["links"]:
            yield Passage(link, page=each["page"], part="link")


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))


def _read(path: str, most: int) -> Iterator[dict[str, Any]]:
    import pypdf  # noqa: PLC0415 (in the child alone)

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = pypdf.PdfReader(path)
    if reader.is_encrypted and not reader.decrypt(""):
        yield {"fault": "it is encrypted, and no password is known", "limit": False}
        return
    if len(reader.pages) > MAX_PAGES:
        yield {"fault": f"pdf_pages: it has more than {MAX_PAGES:,} pages", "limit": True}
        return
    for number, page in enumerate(reader.pages, 1):
        text = page.extract_text()
        most -= len(text)
        if most < 0:
            yield {"fault": "document_characters: it has more text than a document may have", "limit": True}
            return
        yield {"page": number, "text": text, "links": list(_links(page))}


def _links(page: Any) -> Iterator[str]:
    for each in page.get("/Annots") or []:
        action = each.get_object().get("/A")
        uri = None if action is None else action.get_object().get("/URI")
        if isinstance(uri, str):
            yield str(uri)


def main(path: str, most: str) -> None:
    """Write the pages of a file to standard output; a fault as a line of its own."""
    _bounded()
    try:
        for each in _read(path, int(most)):
            sys.stdout.write(json.dumps(each) + "\n")
    except MemoryError:
        raise SystemExit(1) from None
    except Exception as error:  # whatever a damaged file makes of its reader
        sys.stdout.write(
            json.dumps({"fault": f"no readable PDF: {type(error).__name__}: {error}"[:300], "limit": False}) + "\n"
        )


if __name__ == "__main__":
    main(*sys.argv[1:3])
