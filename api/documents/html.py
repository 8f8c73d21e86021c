"""Passages of HTML, and of the XML in word processors' files: blocks of text, attributes, scripts.

Text that stands in one block is one passage, whatever tags are within it: an address may be written in pieces. The
parser is the standard library's, which reads whatever browsers do and follows no entity of its own making.
"""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

from api.documents.passage import Passage

BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "button",
        "caption",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "head",
        "header",
        "hr",
        "html",
        "input",
        "label",
        "legend",
        "li",
        "link",
        "main",
        "meta",
        "nav",
        "ol",
        "option",
        "p",
        "pre",
        "script",
        "section",
        "select",
        "style",
        "table",
        "tbody",
        "td",
        "textarea",
        "tfoot",
        "th",
        "thead",
        "title",
        "tr",
        "ul",
        "w:p",
        "w:tr",
        "w:tc",
        "a:p",
        "text:p",
        "text:h",
    ]
)
"""Tags at which a passage ends."""

SKIPPED = frozenset({"style"})
MAX_ATTRIBUTE = 100_000


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.passages: list[Passage] = []
        self._words: list[str] = []
        self._line = 1
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in BLOCKS:
            self.flush()
        if tag in ("script", "style"):
            self._within = tag
        for name, value in attrs:
            if value and name not in ("class", "style", "id") and len(value) <= MAX_ATTRIBUTE:
                self.passages.append(Passage(value, line=self.getpos()[0], part=f"attribute {name[:40]}"))

    def handle_endtag(self, tag: str) -> None:
        if tag in BLOCKS:
            self.flush()
        if tag == self._within:
            self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in SKIPPED:
            return
        if not self._words:
            self._line = self.getpos()[0]
        self._words.append(data)

    def handle_comment(self, data: str) -> None:
        self.passages.append(Passage(data, line=self.getpos()[0], part="comment"))

    def flush(self) -> None:
        """End the passage that is being read."""
        text = "".join(self._words)
        if text.strip():
            self.passages.append(Passage(text, line=self._line, part=self._within))
        self._words = []


def passages(text: str) -> Iterator[Passage]:
    """What stands in a page, block by block."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    reader.flush()
    yield from reader.passages
