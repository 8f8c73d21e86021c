"""Labels in a real database: whole or not at all, versions that stay, a column that follows, files that round-trip."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import lzma
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from api.cli.labels import exported_file
from api.instance import Instance
from api.labels import exporting, tagpack
from api.labels.column import label_column, labels_folder
from api.labels.importing import ImportReport, Options, import_file
from chain.bitcoin import address as codec
from chain.bitcoin.network import REGTEST
from chain.errors import HeadwaterError, MalformedData, NotFound, StoreUnavailable
from chain.load import open_columns
from chain.source import Reject
from chain.store.dataset import Dataset
from chain.store.labels import LabelRows, LabelStore, SourceStands
from chain.store.ledger import LedgerStore
from chain.store.postgres import Connection, connected
from clustering.labels import LabelColumn
from clustering.simulate.sample import Sample
from tests.integration.loaded import load_sample

T = TypeVar("T")

A = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
HEAD = "title: A pack\ncreator: me\ncurrency: BTC\nconfidence: forensic\n"
PACKS = 10


def within(instance: Instance, work: Callable[[Connection], Awaitable[T]]) -> T:
    async def run() -> T:
        async with connected(instance.url) as connection:
            return await work(connection)

    return asyncio.run(run())


def add(instance: Instance, path: Path, **options: Any) -> tuple[ImportReport, list[Reject]]:
    return within(instance, lambda connection: import_file(connection, path, Options(**options)))


def pack(folder: Path, *tags: str, head: str = HEAD, name: str = "pack.yaml") -> Path:
    path = folder / name
    path.write_text(head + "tags:\n" + "".join(f"- {tag}\n" for tag in tags))
    return path


def exported(instance: Instance, source: int) -> list[dict[str, Any]]:
    """Every field of every label of a source, without what says which source it is."""

    async def work(connection: Connection) -> list[dict[str, Any]]:
        store = LabelStore(connection)
        return await store.for_export(source, None, await store.version())

    return [
        {name: row[name] for name in row if name not in ("source_id", "claim_id")} for row in within(instance, work)
    ]


def everything(instance: Instance) -> list[tuple[int, ...]]:
    async def work(connection: Connection) -> list[tuple[int, ...]]:
        names = ("label_set", "label_source", "actor", "label_claim", "label")
        return [(int(await connection.fetchval(f"select count(*) from {name}")),) for name in names]

    return within(instance, work)


# Files


def test_the_ten_packs_round_trip(data: Path, instance: Instance, fresh: Instance, tmp_path: Path) -> None:
    """Imported, exported, and imported again elsewhere they are the same labels, field by field."""
    paths = sorted((data / "labels" / "graphsense_tagpacks" / "packs").glob("*.yaml"))
    assert len(paths) == PACKS
    rejected = 0
    for path in paths:
        first, rejects = add(instance, path, licence="MIT")
        rejected += len(rejects)
        before = exported(instance, first.source)

        async def export(connection: Connection, source: int = first.source) -> tuple[bytes, bytes]:
            store = LabelStore(connection)
            return await store.original(source), exporting.tagpack(
                exporting.source_header(await store.source(source)), await store.for_export(source, None, 0)
            )

        out = tmp_path / path.name
        archived, written = within(instance, export)
        assert archived == path.read_bytes()
        out.write_bytes(written)
        second, none = add(fresh, out)
        after = exported(fresh, second.source)
        for each, place in zip(before, range(1, len(before) + 1), strict=True):
            each["place"] = place  # rejected tags are not exported
        assert (after, none) == (before, [])
        assert (second.title, second.creator, second.labels) == (first.title, first.creator, first.labels)
        assert len(before) + len(rejects) == path.read_text().count("address:")
        sources = within(fresh, lambda connection: LabelStore(connection).source(second.source))  # noqa: B023
        assert sources.licence == "MIT"
    assert rejected == 3, "two of PlusToken's and one of OFAC's are no Bitcoin addresses"


def test_the_actors_and_the_lists_are_all_taken(data: Path, fresh: Instance) -> None:
    labels = data / "labels"
    report, rejects = add(fresh, labels / "graphsense_tagpacks" / "graphsense.actorpack.yaml.xz")
    assert (report.format, report.actors, rejects) == ("actorpack", 3_813, [])
    lists = sorted((labels / "ofac").glob("*.txt"))
    count = sum(len(path.read_text().split()) for path in lists)
    reports = [add(fresh, path) for path in lists]
    assert sum(report.labels + len(rejects) for report, rejects in reports) == count
    assert all(report.state == "added" for report, _ in reports), "two lists may have the same bytes and another asset"
    assert [each.reason for _, rejects in reports for each in rejects] == [
        "address: version byte 65 is of no Bitcoin network"
    ]

    async def actors(connection: Connection) -> Any:
        store = LabelStore(connection)
        return await store.actors(await store.version(), ["01", "huobi", "none"])

    found = within(fresh, actors)
    assert sorted(found) == ["01", "huobi"]
    assert "exchange" in found["huobi"]["categories"]


@pytest.mark.slow
def test_every_row_of_the_big_table_is_taken_or_named(data: Path, fresh: Instance) -> None:
    path = data / "labels" / "graphsense_tagpacks" / "tags_all.csv.xz"
    report, rejects = add(fresh, path)
    assert report.labels + len(rejects) == 524_170
    assert len(rejects) == 13
    assert report.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    with lzma.open(path, "rt", newline="") as handle:
        rows = list(csv.DictReader(handle))
    for row in exported(fresh, report.source)[::997]:
        given = rows[row["place"] - 2]
        assert (row["address"], row["label"], row["pack"]) == (given["address"], given["label"], given["pack"])
        assert (row["actor"] or "", row["confidence"] or "") == (given["actor"], given["confidence"])


def test_the_same_file_again_changes_nothing_and_says_so(fresh: Instance, tmp_path: Path) -> None:
    path = pack(tmp_path, f"{{address: {A}, label: x}}", f"{{address: {A}x, label: bad}}")
    first, rejects = add(fresh, path)
    before = everything(fresh)
    other = tmp_path / "another name"
    other.write_bytes(path.read_bytes())
    again, none = add(fresh, other, replace=True)
    assert (first.state, again.state, again.source, again.version) == ("added", "already there", 1, 1)
    assert (len(rejects), none, again.rejected) == (1, [], 1)
    assert everything(fresh) == before


def test_a_new_file_of_a_pack_replaces_nothing_unless_it_is_told_to(fresh: Instance, tmp_path: Path) -> None:
    add(fresh, pack(tmp_path, f"{{address: {A}, label: old}}"))
    newer = pack(tmp_path, f"{{address: {A}, label: new}}")
    before = everything(fresh)
    with pytest.raises(SourceStands, match=r"source 1 \(pack.yaml\) has the title 'A pack' by 'me'"):
        add(fresh, newer)
    assert everything(fresh) == before
    report, _ = add(fresh, newer, replace=True)
    assert (report.source, report.version) == (2, 2)
    beside = pack(tmp_path, f"{{address: {A}, label: third}}")
    assert add(fresh, beside, beside=True)[0].version == 3

    async def labels(connection: Connection) -> list[list[str]]:
        store, key = LabelStore(connection), codec.decode_any(A)[1]
        found = [await store.of_keys("btc", [key], ["main"], version, 10) for version in range(4)]
        return [[row["label"] for row in rows] for rows in found]

    assert within(fresh, labels) == [[], ["old"], ["new"], ["new", "third"]]
    closed = within(fresh, lambda connection: LabelStore(connection).source(1))
    assert (closed.is_open, closed.to_version, closed.replaced_by) == (False, 2, 2)


def test_a_withdrawal_keeps_its_reason_and_the_versions_before(fresh: Instance, tmp_path: Path) -> None:
    path = pack(tmp_path, f"{{address: {A}, label: x}}")
    add(fresh, path)

    async def withdraw(connection: Connection) -> int:
        return await LabelStore(connection).withdraw(1, "taken from a hoax")

    assert within(fresh, withdraw) == 2
    with pytest.raises(NotFound, match="source 1 is closed since version 2"):
        within(fresh, withdraw)
    source = within(fresh, lambda connection: LabelStore(connection).source(1))
    assert (source.withdrawn_reason, source.to_version) == ("taken from a hoax", 2)
    with pytest.raises(SourceStands, match="withdrawn as source 1"):
        add(fresh, path)
    assert add(fresh, path, replace=True)[0].source == 2
    changes = within(fresh, lambda connection: LabelStore(connection).versions())
    assert [row["version"] for row in changes] == [1, 2, 3]
    assert changes[1]["change"] == "withdrew source 1: taken from a hoax"


def test_nothing_is_half_written(fresh: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(fresh)
    with pytest.raises(MalformedData, match="none of its rows"):
        add(fresh, pack(tmp_path, "{address: nonsense, label: x}"))
    path = pack(tmp_path, f"{{address: {A}, label: x}}")

    def broken(source_id: int, rows: LabelRows) -> list[Any]:
        raise OSError("the connection went away")

    monkeypatch.setattr("chain.store.labels.label_fields", broken)
    with pytest.raises(StoreUnavailable, match="went away"):
        add(fresh, path)
    assert everything(fresh) == before
    monkeypatch.undo()
    assert add(fresh, path)[0].version == 1


def test_two_imports_of_a_file_at_once_make_one_source(fresh: Instance, tmp_path: Path) -> None:
    path = pack(tmp_path, *(f"{{address: {A}, label: x{n}}}" for n in range(50)))

    async def both() -> list[tuple[ImportReport, list[Reject]]]:
        async def one() -> tuple[ImportReport, list[Reject]]:
            async with connected(fresh.url) as connection:
                return await import_file(connection, path, Options())

        return list(await asyncio.gather(*(one() for _ in range(4))))

    reports = [report for report, _ in asyncio.run(both())]
    assert sorted(report.state for report in reports) == ["added", *["already there"] * 3]
    assert {report.source for report in reports} == {1}


def test_a_damaged_archive_is_noticed(fresh: Instance, tmp_path: Path) -> None:
    add(fresh, pack(tmp_path, f"{{address: {A}, label: x}}"))

    async def damage(connection: Connection) -> None:
        await connection.execute("update label_source set sha256 = $1", bytes(32))
        await LabelStore(connection).original(1)

    with pytest.raises(HeadwaterError, match="does not have its SHA-256"):
        within(fresh, damage)


def test_the_export_of_the_only_source_is_its_pack(fresh: Instance, tmp_path: Path) -> None:
    add(fresh, pack(tmp_path, f"{{address: {A}, label: x}}"))
    content, count = within(fresh, lambda connection: exported_file(LabelStore(connection), None, None, False))
    assert (count, tagpack.read("a", content).title) == (1, "A pack")


# The column


class Loaded:
    """The sample, whose wallets are known, in an instance."""

    def __init__(self, instance: Instance, folder: Path) -> None:
        self.instance, self.folder = instance, folder
        self.sample: Sample = asyncio.run(load_sample(instance, folder, "btc"))

    def address(self, wallet: str, number: int = 0) -> str:
        return codec.encode(self.sample.wallet(wallet).keys[number], REGTEST)

    def add(self, *tags: str, name: str = "pack.yaml", **options: Any) -> ImportReport:
        head = HEAD.replace("A pack", name)
        return add(self.instance, pack(self.folder, *tags, head=head, name=name), network=REGTEST, **options)[0]

    def column(self, dataset: str = "btc") -> LabelColumn | None:
        async def work(connection: Connection) -> LabelColumn | None:
            store = LedgerStore(connection)
            held: Dataset = await store.dataset(dataset)
            columns = await open_columns(store, held, self.instance.home)
            return await label_column(connection, self.instance.home, held, columns)

        return within(self.instance, work)

    def entity(self, wallet: str, number: int = 0) -> str | None:
        column = self.column()
        assert column is not None

        async def work(connection: Connection) -> int:
            store = LedgerStore(connection)
            columns = await open_columns(store, await store.dataset("btc"), self.instance.home)
            keys = [columns.address_key(each) for each in range(columns.address_count)]
            return keys.index(self.sample.wallet(wallet).keys[number])

        entity = int(column.entity[within(self.instance, work)])
        return None if entity < 0 else column.entities[entity]


def test_the_column_follows_the_label_set_and_is_made_again(fresh: Instance, tmp_path: Path) -> None:
    loaded = Loaded(fresh, tmp_path)
    assert loaded.column() is None
    sale, investor = loaded.address("sale"), loaded.address("investor 1")
    loaded.add(
        f"{{address: {sale}, label: Huobi, category: exchange, actor: huobi}}",
        f"{{address: {investor}, label: Somebody, category: user}}",
    )
    assert (loaded.entity("sale"), loaded.entity("investor 1"), loaded.entity("sale", 1)) == ("actor:huobi", None, None)
    loaded.add(f"{{address: {sale}, label: Kraken, category: exchange}}", name="other.yaml")
    assert loaded.entity("sale") == "contested: actor:huobi | label:kraken"
    loaded.add(f"{{address: {sale}, label: Kraken, category: exchange, confidence: ownership}}", name="sure.yaml")
    assert loaded.entity("sale") == "label:kraken"
    column = loaded.column()
    assert column is not None
    assert (column.version, len(column.labelled), column.entities) == (3, 2, ["label:kraken"])

    folder = labels_folder(fresh.home, "btc")
    assert sorted(path.name for path in folder.iterdir()) == ["2", "3"], "older ones are removed"
    for name, content in (
        ("entity.npy", b"cut"),
        ("manifest.json", b"{}"),
        ("manifest.json", b"[1]"),
        ("labelled.npy", b""),
    ):
        (folder / "3" / name).write_bytes(content)
        assert loaded.entity("sale") == "label:kraken", name

    within(fresh, lambda connection: LabelStore(connection).withdraw(3, "wrong"))
    assert loaded.entity("sale") == "contested: actor:huobi | label:kraken"


def test_labels_of_another_network_or_out_of_force_do_not_count(fresh: Instance, tmp_path: Path) -> None:
    """The sample's last block is of 2023-11-15: that day decides, not today."""
    loaded = Loaded(fresh, tmp_path)
    sale = loaded.address("sale")
    key = loaded.sample.wallet("sale").keys[0]
    main = codec.encode(key, codec.decode_any(A)[0])
    add(fresh, pack(tmp_path, f"{{address: {main}, label: Main, category: exchange}}", name="main.yaml"))
    loaded.add(f"{{address: {sale}, label: Old, category: exchange, valid_until: 2023-11-14}}", name="old.yaml")
    loaded.add(f"{{address: {sale}, label: New, category: exchange, valid_from: 2023-11-16}}", name="new.yaml")
    assert loaded.entity("sale") is None
    loaded.add(f"{{address: {sale}, label: Now, category: exchange, valid_until: 2023-11-15}}", name="now.yaml")
    assert loaded.entity("sale") == "label:now"


def test_an_actor_s_categories_speak_for_a_label_that_states_none(fresh: Instance, tmp_path: Path) -> None:
    loaded = Loaded(fresh, tmp_path)
    loaded.add(
        f"{{address: {loaded.address('sale')}, label: Hot wallet 1, actor: huobi}}",
        f"{{address: {loaded.address('investor 1')}, label: Huobi hack, actor: huobi, abuse: service_hack}}",
    )
    assert loaded.entity("sale") is None
    actors = tmp_path / "actors.yaml"
    actors.write_text("title: Actors\ncreator: me\nactors:\n- {id: huobi, label: Huobi, categories: [exchange]}\n")
    add(fresh, actors)
    assert (loaded.entity("sale"), loaded.entity("investor 1")) == ("actor:huobi", None)
