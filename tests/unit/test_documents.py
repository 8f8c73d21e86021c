"""Addresses in documents: what is valid, what is broken, hidden or of another chain, and what a bomb does."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from api.cli import app
from api.documents import reading
from api.documents.candidates import ADDRESS, INVALID, OTHER, PATTERN, SECRET, TRANSACTION, Found, find
from api.documents.passage import Passage, joined, plain
from api.documents.patterns import bitcoin_spans, ethereum_spans
from api.documents.reading import passages
from chain.bitcoin import address as bitcoin
from chain.bitcoin.network import MAINNET, REGTEST
from chain.errors import HeadwaterError, LimitExceeded, MalformedData
from chain.ethereum import address as ethereum
from chain.model import AddressKind

DAO = "0xBB9bc244D798123fDe783fCc1C72d3Bb8C189413"
P2PKH = "12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S"
SEGWIT = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
TAPROOT = "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"


def found(text: str) -> list[Found]:
    return find(Passage(text))


def only(text: str) -> Found:
    (one,) = found(text)
    return one


@pytest.mark.parametrize(("text", "chain"), [(DAO, "eth"), (P2PKH, "btc"), (SEGWIT, "btc"), (TAPROOT, "btc")])
@pytest.mark.parametrize(
    "frame", ["{}", "pay {}.", "({})", "请转到{}，谢谢", '"{}"', "a\n{}\nb", "https://x.example/{}?a=1"]
)
def test_an_address_is_found_wherever_it_stands(text: str, chain: str, frame: str) -> None:
    one = only(frame.format(text))
    assert (one.kind, one.chain, one.value) == (ADDRESS, chain, text)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (DAO.lower(), "written without its checksum"),
        ("0x" + DAO[2:].upper(), "written without its checksum"),
        (DAO[:20] + "\n" + DAO[20:], "broken over lines"),
        (DAO[:20] + "-\r\n   " + DAO[20:], "broken over lines"),
        (DAO[:9] + "\u200b" + DAO[9:], "hidden characters"),
        ("\u202e" + DAO[:9] + "\u00ad" + DAO[9:], "hidden characters"),
        (DAO.replace("0x", "０ｘ"), "full-width characters"),
        (DAO.replace("c", "с", 1), "look-alike letters (U+0441 for c)"),
    ],
)
def test_what_was_done_to_an_address_is_said(text: str, note: str) -> None:
    one = only(f"at {text} now")
    assert (one.kind, one.value) == (ADDRESS, DAO)
    assert note in one.notes


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (DAO[:-1] + "4", "EIP-55 checksum"),
        (DAO.lower()[:-1], "39 hex digits"),
        (DAO.lower() + "ab", "42 hex digits"),
        (P2PKH[:-1] + "T", "base58 checksum"),
        (SEGWIT[:-1] + "p", "checksum"),
    ],
)
def test_what_only_looks_like_an_address_is_named_with_the_reason(text: str, reason: str) -> None:
    one = only(f"to {text} today")
    assert one.kind == INVALID
    assert any(reason in note for note in one.notes)


@pytest.mark.parametrize(
    ("text", "chain", "value"),
    [
        ("0xBB9b…9413", "eth", "0xBB9b*9413"),
        ("0xBB9bc244...8C189413", "eth", "0xBB9bc244*8C189413"),
        ("0xBB9b**9413", "eth", "0xBB9b*9413"),
        ("12cbQ...pTu3S", "btc", "12cbQ*pTu3S"),
        ("bc1qar0…5mdq", "btc", "bc1qar0*5mdq"),
    ],
)
def test_cut_off_addresses_are_patterns(text: str, chain: str, value: str) -> None:
    one = only(f"sent to {text}, he said")
    assert (one.kind, one.chain, one.value) == (PATTERN, chain, value)


@pytest.mark.parametrize(
    ("text", "chain"),
    [
        ("TJRabPrwbZy45sbavfcjinPJC18kjpRTv8", "tron"),
        ("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", "litecoin"),
        ("rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", "xrp"),
        ("7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV", "solana"),
        ("EQCD39VS5jcptHL8vMjEXrzGaRcCVYto7HUn4bpAOg8xqB2N", "ton"),
        ("DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L", "dogecoin"),
    ],
)
def test_addresses_of_other_chains_are_told_as_such(text: str, chain: str) -> None:
    one = only(f"also {text} works")
    assert (one.kind, one.chain, one.value) == (OTHER, chain, text)
    assert any("not covered" in note for note in one.notes)
    wrong = text[:-2] + ("b" if text[-2] != "b" else "c") + text[-1]
    assert chain == "solana" or all(each.kind != OTHER for each in found(wrong))


def test_a_private_key_is_told_and_never_repeated() -> None:
    key = "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ"
    rows = found(f"{P2PKH} has the key {key}, do not tell {DAO}")
    assert [each.kind for each in rows] == [ADDRESS, SECRET, ADDRESS]
    assert all(key not in str(each.value) + each.context + each.written for each in rows)


def test_hashes_are_candidates_only() -> None:
    one = only(f"tx 0x{'ab' * 32}")
    assert (one.kind, one.chain) == (TRANSACTION, "eth")
    assert "any hash" in one.notes[0]
    assert only("cd" * 32).chain == "btc"


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("Please send 2.5 ETH to {}", "payee"),
        ("deposit address: {}", "payee"),
        ("请充值到 {}", "payee"),
        ("众筹地址：{}", "payee"),
        ("I sent it from {} on Monday", "payer"),
        ("my wallet {} was charged", "payer"),
        ("我的地址 {}", "payer"),
        ("for example {}", "example"),
        ("例如 {}", "example"),
        ("{}", ""),
    ],
)
def test_a_role_is_apparent_by_the_nearest_words(text: str, role: str) -> None:
    one = only(text.format(DAO))
    assert one.role.role == role
    assert bool(one.role.why) == bool(role)


def test_known_examples_are_examples_whatever_is_said() -> None:
    one = only("send all to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")
    assert (one.role.role, one.role.why) == ("example", "known: the genesis block's")


def test_places_are_of_the_text_as_it_was_given() -> None:
    one = found(f"first\n第二行 \u200b{P2PKH}\n")[0]
    assert (one.line, one.column) == (2, 6)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_read_and_every_place_is_in_it(text: str) -> None:
    for each in found(text):
        assert 1 <= each.line <= text.count("\n") + 1
    flat = plain(text)
    assert len(flat.text) == len(flat.at)
    whole = joined(flat)
    assert len(whole.text) == len(whole.at)
    assert all(place < len(text) for place in whole.at)


@given(st.binary(min_size=20, max_size=20), st.integers(3, 20), st.integers(2, 8))
def test_the_spans_of_a_cut_off_address_hold_the_address(key: bytes, start: int, end: int) -> None:
    for kind in (AddressKind.PUBKEY_HASH, AddressKind.SCRIPT_HASH, AddressKind.WITNESS_KEY_HASH):
        for network in (MAINNET, REGTEST):
            text = bitcoin.encode(bytes([kind]) + key, network)
            spans = bitcoin_spans(text[:start], network)
            prefix = f"{network.segwit_prefix}1"
            if kind == AddressKind.WITNESS_KEY_HASH and start <= len(prefix):
                continue
            assert any(span.kind == kind and span.low <= key <= span.high for span in spans), (text, start)
    text = ethereum.encode(key)
    assert all(span.low <= key <= span.high for span in ethereum_spans(text[: start + 2]))
    assert end


# Documents


def rows_of(path: Path) -> list[tuple[Passage, Found]]:
    return [(passage, each) for _, passage in passages(path) for each in find(passage)]


def test_html_in_pieces_attributes_scripts_and_comments(tmp_path: Path) -> None:
    page = f"""<!doctype html><style>.{P2PKH} {{}}</style>
<p>Send to <b>{DAO[:10]}</b><wbr>{DAO[10:]}</p>
<a href="bitcoin:{P2PKH}?amount=1">pay</a>
<script>const w = "{SEGWIT}";</script><!-- {TAPROOT} -->
<td>0xab</td><td>cd</td>"""
    path = tmp_path / "page.html"
    path.write_text(page)
    found_in = {(each.value, passage.part) for passage, each in rows_of(path)}
    assert found_in == {(DAO, ""), (P2PKH, "attribute href"), (SEGWIT, "script"), (TAPROOT, "comment")}
    assert {each.line for _, each in rows_of(path) if each.value == DAO} == {2}


def test_telegram_keeps_sender_time_and_forwards(tmp_path: Path) -> None:
    message = {
        "id": 7, "type": "message", "date": "2017-06-12T14:00:00", "from": "Ann =cmd()", "from_id": "user1",
        "forwarded_from": "ICO News", "text": ["join: ", {"type": "code", "text": DAO[:20]}, DAO[20:]],
    }  # fmt: skip
    link = {
        "id": 8,
        "date": "x",
        "actor": "B",
        "text": [{"type": "text_link", "text": "here", "href": f"https://x/{P2PKH}"}],
    }
    poll = {"id": 9, "poll": {"question": f"Pay {SEGWIT}?", "answers": [{"text": TAPROOT}]}, "text": ""}
    whole = {"chats": {"list": [{"name": "Group", "messages": [message, link, poll]}]}}
    path = tmp_path / "result.json"
    path.write_text(json.dumps(whole))
    rows = rows_of(path)
    assert [each.value for _, each in rows] == [DAO, P2PKH, SEGWIT, TAPROOT]
    passage = rows[0][0]
    assert (passage.sender, passage.time, passage.forwarded_from) == ("Ann =cmd()", "2017-06-12T14:00:00", "ICO News")
    assert passage.part == "message 7 of Group"
    path.write_text('{"messages": [1]}')
    with pytest.raises(MalformedData, match="message 1 of the file is no object"):
        rows_of(path)
    path.write_text('{"messages": ' + "[" * 100_000)
    with pytest.raises(MalformedData, match="no JSON"):
        rows_of(path)


def pdf(*pages: bytes, compress: bool = False) -> bytes:
    """A PDF file with one content stream a page."""
    parts = [b"<</Type/Catalog/Pages 2 0 R>>", b""]
    kids = []
    for content in pages:
        raw = zlib.compress(content) if compress else content
        head = b"<</Length %d%s>>" % (len(raw), b"/Filter/FlateDecode" if compress else b"")
        number = len(parts) + 1
        kids.append(number)
        font = b"<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>"
        parts.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources%s/Contents %d 0 R>>" % (font, number + 1)
        )
        parts.append(head + b"stream\n" + raw + b"\nendstream")
    listed = b" ".join(b"%d 0 R" % kid for kid in kids)
    parts[1] = b"<</Type/Pages/Kids[%s]/Count %d>>" % (listed, len(kids))
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, part in enumerate(parts, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, part))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF" % (len(parts) + 1, start))
    return out.getvalue()


def written(text: str) -> bytes:
    return b"BT /F 12 Tf 50 700 Td (%s) Tj ET" % text.encode()


def test_pdf_pages_and_pages_without_text(tmp_path: Path) -> None:
    path = tmp_path / "paper.pdf"
    path.write_bytes(pdf(written("nothing here"), written(f"Contribute to {DAO}"), b""))
    rows = rows_of(path)
    assert [(passage.page, each.value, each.role.role) for passage, each in rows] == [(2, DAO, "payee")]
    assert [passage.page for _, passage in passages(path) if not passage.text] == [3]
    result = CliRunner().invoke(app, ["scan-text", str(path), "--format", "json"])
    assert result.exit_code == 3
    assert "page 3 has no text" in result.stderr
    assert json.loads(result.stdout)[0]["page"] == 2


@pytest.mark.parametrize("data", [b"%PDF-1.4\ngarbage", pdf(b"")[:200], b"%PDF-1.4\n" + b"<<" * 50_000])
def test_a_damaged_pdf_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.pdf"
    path.write_bytes(data)
    with pytest.raises(HeadwaterError, match=r"bad\.pdf"):
        rows_of(path)


def test_a_pdf_that_unfolds_without_end_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pdf"
    path.write_bytes(pdf(b"BT /F 12 Tf " + b"(A) Tj " * 40_000_000, compress=True))
    with pytest.raises((LimitExceeded, MalformedData), match=r"bomb\.pdf"):
        rows_of(path)


def archive(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name.replace("_", "."), data)
    return out.getvalue()


def test_archives_are_read_and_bombs_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mail.zip"
    path.write_bytes(archive(a_txt=DAO.encode(), b_png=P2PKH.encode(), c_zip=archive(d_html=f"<p>{SEGWIT}".encode())))
    assert [each.value for _, each in rows_of(path)] == [DAO, SEGWIT]
    names = [name.removeprefix(str(path)) for name, _ in passages(path)]
    assert names == ["/a.txt", "/c.zip/d.html"]
    deep = archive(a_zip=archive(b_zip=archive(c_txt=b"x")))
    path.write_bytes(deep)
    with pytest.raises(LimitExceeded, match="archive_depth"):
        rows_of(path)
    monkeypatch.setattr(reading, "MAX_BYTES", 1 << 20)
    path.write_bytes(archive(a_txt=b"0" * (3 << 20)))
    with pytest.raises(LimitExceeded, match="archive_bytes"):
        rows_of(path)
    path.write_bytes(archive(**{f"m{n}_txt": b"" for n in range(1_001)}))
    with pytest.raises(LimitExceeded, match="archive_members"):
        rows_of(path)
    path.write_bytes(archive(a_txt=b"x" * 100)[:-30])
    with pytest.raises(MalformedData, match="archive"):
        rows_of(path)


def test_word_documents_are_read_by_paragraph(tmp_path: Path) -> None:
    run = "<w:r><w:t>{}</w:t></w:r>"
    body = f"<w:p>{run.format(DAO[:15])}{run.format(DAO[15:])}</w:p><w:p>{run.format(P2PKH)}</w:p>"
    path = tmp_path / "complaint.docx"
    path.write_bytes(archive(**{"word/document_xml": f"<?xml version='1.0'?><w:document>{body}</w:document>".encode()}))
    assert [each.value for _, each in rows_of(path)] == [DAO, P2PKH]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_texts_in_older_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes(f"请转到 {DAO}".encode(encoding))
    assert [(each.value, each.role.role) for _, each in rows_of(path)] == [(DAO, "payee")]
    path.write_bytes(b"\x80\xff\x00" * 100)
    with pytest.raises(MalformedData, match="neither text"):
        rows_of(path)


def test_compressed_documents_and_unreadable_ones(tmp_path: Path) -> None:
    good, missing = tmp_path / "a.txt.gz", tmp_path / "none.txt"
    good.write_bytes(gzip.compress(f"=cmd() {DAO}".encode()))
    result = CliRunner().invoke(app, ["scan-text", str(good), str(missing), "--format", "csv"])
    assert result.exit_code == 3
    assert "none.txt" in result.stderr
    assert DAO in result.stdout
    assert ",'=cmd()" in result.stdout  # no spreadsheet evaluates it


def test_a_long_line_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_PASSAGE", 100)
    path = tmp_path / "long.txt"
    path.write_text(("x" * 60 + "\n") * 3 + f"{P2PKH}\n" + "y" * 250)
    lines: list[Any] = [(each.value, each.line) for _, each in rows_of(path)]
    assert lines == [(P2PKH, 4)]
