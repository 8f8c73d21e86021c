"""Documents of any kind as passages. Everything that a file unfolds into has a bound, named in the error."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from api.documents import html, pdf, telegram
from api.documents.passage import MAX_PASSAGE, Passage
from chain.compressed import read_bytes
from chain.errors import LimitExceeded, MalformedData

MAX_BYTES = 256 << 20
"""Of a document when it is unfolded, and of all documents in one archive together."""

MAX_PDF_TEXT = 64 << 20
"""Characters of a PDF file's pages together."""

MAX_MEMBERS = 1_000
"""Files of an archive."""

MAX_DEPTH = 2
"""Archives in archives."""

READABLE = (".txt", ".md", ".csv", ".json", ".html", ".htm", ".xml", ".pdf", ".zip", ".docx", ".xlsx", ".pptx", ".odt")
"""Members of an archive that are read; pictures and fonts are passed over."""


def passages(path: Path) -> Iterator[tuple[str, Passage]]:
    """(document, passage) of a file, in order. SourceError, MalformedData, LimitExceeded name it."""
    yield from _document(str(path), read_bytes(path, MAX_BYTES), _Budget(MAX_BYTES), 0)


class _Budget:
    """Bytes that may still be unfolded."""

    def __init__(self, left: int) -> None:
        self.left = left


def _document(name: str, data: bytes, budget: _Budget, depth: int) -> Iterator[tuple[str, Passage]]:
    if data.startswith(b"PK\x03\x04"):
        yield from _archive(name, data, budget, depth)
    elif b"%PDF-" in data[:1024]:
        yield from ((name, each) for each in _pdf(name, data))
    elif telegram.is_export(data):
        yield from ((name, each) for each in telegram.passages(name, data))
    else:
        text = decoded(name, data)
        found = html.passages(text) if _is_markup(name, text) else _text(text)
        yield from ((name, each) for each in found)


def _pdf(name: str, data: bytes) -> Iterator[Passage]:
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(data)
        file.flush()
        yield from pdf.passages(Path(file.name), name, MAX_PDF_TEXT)


def _archive(name: str, data: bytes, budget: _Budget, depth: int) -> Iterator[tuple[str, Passage]]:
    if depth >= MAX_DEPTH:
        raise LimitExceeded(f"{name}: archive_depth: archives stand at most {MAX_DEPTH} deep in one another")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [each for each in archive.infolist() if not each.is_dir()]
            if len(members) > MAX_MEMBERS:
                raise LimitExceeded(f"{name}: archive_members: it has more than {MAX_MEMBERS:,} files")
            for member in members:
                if member.filename.lower().endswith(READABLE):
                    inner = _member(name, archive, member, budget)
                    yield from _document(f"{name}/{member.filename}", inner, budget, depth + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise MalformedData(f"{name}: damaged or encrypted archive: {error}") from error


def _member(name: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: _Budget) -> bytes:
    with archive.open(member) as file:
        inner = file.read(budget.left + 1)  # what it says of its size is not believed
    budget.left -= len(inner)
    if budget.left < 0:
        raise LimitExceeded(f"{name}: archive_bytes: it unfolds into more than {MAX_BYTES >> 20} MiB")
    return inner


def decoded(name: str, data: bytes) -> str:
    """A text: UTF-8, UTF-16 by its mark, else GB 18030, in which older Chinese texts are. MalformedData for none."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"", "utf-8-sig"), (b"", "gb18030")):
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                continue
    raise MalformedData(
        f"{name}: neither text (UTF-8, UTF-16, GB 18030) nor PDF, HTML, Telegram's export or a zip archive"
    )


def _is_markup(name: str, text: str) -> bool:
    start = text[:2_000].lstrip().lower()
    return name.lower().endswith((".html", ".htm", ".xml")) or start.startswith(("<!doctype html", "<html", "<?xml"))


def _text(text: str) -> Iterator[Passage]:
    """The text in pieces of bounded size, cut at line ends."""
    start, line = 0, 1
    while start < len(text):
        end = min(len(text), start + MAX_PASSAGE)
        if end < len(text):
            end = text.rfind("\n", start, end) + 1 or end  # a line that is longer is cut where it is
        piece = text[start:end]
        yield Passage(piece, line=line)
        line += piece.count("\n")
        start = end
