"""`headwater measure links`: what links say of generated companies against what is true, by grade. Simulated.

Chains with known owners, sales found on them, statements of which some are mistaken, copied or planted
(clustering/simulate/documents.py). A link is right where the address is to the company what the link says. Coverage
is of what could be known: of each company about which anybody says something true, its sale's contract, the
collectors, who deployed the contract, and the accounts that are named.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from api.detections import Sales, detect_sales
from api.measure.ethereum_chains import LaidEthereum, ethereum_ledger
from api.measure.relations import places_of, services
from api.simulate_ethereum import block_files, open_ethereum_truth, simulate_ethereum
from chain.ethereum.files import EthereumFiles
from clustering.ethereum.relations import Relation
from clustering.ethereum.rules import found_relations
from clustering.levels import lower_bound, upper_bound
from clustering.link.evidence import Role
from clustering.link.grade import ORDER, Letter
from clustering.link.infer import Claim, Cluster, Creation, Key, Material, Place, Sale, infer
from clustering.rates import percent
from clustering.simulate.documents import Said, Subject, statements
from clustering.simulate.ethereum.kinds import NOBODY
from clustering.simulate.ethereum.kinds import Relation as True_
from clustering.simulate.ethereum.kinds import Role as TrueRole
from clustering.simulate.ethereum.signing import CHAIN_ID
from clustering.simulate.ethereum.truth import Truth

SEEDS, TRANSACTIONS = (1, 2, 3, 4, 5), 10_000
DRAWS = 20
"""Times that documents are drawn for one chain."""

MISTAKEN_FOR = (TrueRole.HOT, TrueRole.DEPOSIT, TrueRole.ROUTER, TrueRole.POOL, TrueRole.WALLET)


def measure_links(seeds: Sequence[int] = SEEDS, transactions: int = TRANSACTIONS, draws: int = DRAWS) -> dict[str, Any]:
    """Generate a chain of each seed and documents for it, infer links, compare. The same input gives the same body."""
    found: Counter[tuple[str, str]] = Counter()
    roles: Counter[tuple[str, str]] = Counter()
    covered: Counter[str] = Counter()
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="headwater-measure-") as scratch:
            folder = Path(scratch) / "chain"
            simulate_ethereum(seed, transactions, folder)
            truth = open_ethereum_truth(folder)
            laid = ethereum_ledger(EthereumFiles(block_files(folder), CHAIN_ID, rlp=True))
        world = _World(truth, laid, detect_sales(laid.ledger))
        for draw in range(draws):
            said = list(statements(world.subjects, world.others, seed * 1_000 + draw))
            _compare(world, said, found, roles, covered)
    return {
        "origin": "simulated", "seeds": list(seeds), "transactions": transactions, "draws": draws,
        "grades": {grade.value: _rate(found, grade.value) for grade in ORDER},
        "roles": {role.value: _rate(roles, role.value) for role in Role if roles[role.value, "links"]},
        "coverage": _coverage(covered),
        "victims": {name: covered[f"victims {name}"] for name in ("linked", "linked by no statement", "above a lead")},
    }  # fmt: skip


def _rate(counts: Counter[tuple[str, str]], name: str) -> dict[str, Any]:
    links, right = counts[name, "links"], counts[name, "right"]
    return {
        "links": links, "right": right, "precision_at_least_ppm": lower_bound(right, links),
        "precision_at_most_ppm": upper_bound(right, links),
    }  # fmt: skip


def links_table(body: Mapping[str, Any]) -> Iterator[str]:
    """The figures as docs/companies.md has them."""
    yield "| grade | links | right | precision, 95 % bounds | coverage at this grade or better |"
    yield "|---|---|---|---|---|"
    whole = body["coverage"]["knowable"]
    for grade, row in body["grades"].items():
        of = body["coverage"][f"{grade} or better"]
        bounds = _bounds(row["precision_at_least_ppm"], row["precision_at_most_ppm"])
        share = f"{of['linked']:,} of {whole:,}: {_bounds(of['at_least_ppm'], of['at_most_ppm'])}"
        yield f"| {grade} | {row['links']:,} | {row['right']:,} | {bounds} | {share} |"
    yield ""
    victims = body["victims"]
    yield (
        f"Links of victims' addresses: {victims['linked']}, all of statements that named them but "
        f"{victims['linked by no statement']}; {victims['above a lead']} above a lead."
    )


def _bounds(low: int, high: int) -> str:
    """Rounded outwards to hundredths of a percent."""
    return f"{percent(low // 100 * 100)} to {percent(high)}"


def _coverage(covered: Counter[str]) -> dict[str, Any]:
    whole, so_far = covered["knowable"], 0
    out: dict[str, Any] = {"knowable": whole}
    for grade in ORDER:
        so_far += covered[grade.value]
        out[f"{grade.value} or better"] = {
            "linked": so_far, "at_least_ppm": lower_bound(so_far, whole), "at_most_ppm": upper_bound(so_far, whole),
        }  # fmt: skip
    return out


class _World:
    """A chain, who sold on it, and what rules see of it."""

    def __init__(self, truth: Truth, laid: LaidEthereum, said: Sales) -> None:
        self.truth, self.laid = truth, laid
        self._rows = {key.tobytes(): row for row, key in enumerate(truth.address_key)}
        self.places = places_of(truth, laid)
        relations = found_relations(laid.ledger, services(truth, self.places))
        self.creations, self.deposits = self._relations(relations)
        self.sales = tuple(self._sales(said))
        self.victims = {row for harm in truth.harms for row in harm.victims}
        first = {sale.issuer: sale for sale in reversed(truth.sales)}  # an issuer is one company, by its first sale
        self.issuers = {f"company {issuer}": issuer for issuer in sorted(first)}
        self.subjects = [self._subject(name, first[issuer]) for name, issuer in self.issuers.items()]
        self.others = np.flatnonzero(np.isin(truth.address_role, MISTAKEN_FOR)).tolist()

    def place(self, row: int) -> Place:
        return "eth", self.truth.key(row).hex()

    def _of_id(self, address: int) -> Place:
        return "eth", self.laid.keys[address].tobytes().hex()

    def row(self, place: Place) -> int:
        return self._rows.get(bytes.fromhex(place[1]), NOBODY)

    def _subject(self, name: str, sale: Any) -> Subject:
        accounts = np.flatnonzero(self.truth.address_customer == sale.issuer)
        return Subject(name, sale.contract, tuple(sale.collectors), tuple(accounts.tolist()))

    def _relations(self, found: Any) -> tuple[dict[Place, Creation], dict[Place, str]]:
        creations, deposits = {}, {}
        for relation, source, target in zip(
            found.relation.tolist(), found.source.tolist(), found.target.tolist(), strict=True
        ):
            if relation == Relation.DEPLOYED:
                creations[self._of_id(target)] = Creation(self._of_id(source), "")
            elif relation == Relation.SWEPT_INTO:
                deposits[self._of_id(source)] = "a deposit account"
        return creations, deposits

    def _sales(self, said: Sales) -> Iterator[Sale]:
        for number, sale in enumerate(said.sales):
            collectors = tuple((self._of_id(flow.address), str(flow.amount), ()) for flow in sale.proceeds.collected)
            yield Sale(str(number), self._of_id(sale.contract), collectors, "")

    def material(self, said: Sequence[Said]) -> Material:
        claims = tuple(
            Claim(number, each.company, self.place(each.row), each.role, each.kind, each.root, None, each.against, "")
            for number, each in enumerate(said)
        )
        clusters = {place: Cluster("", 1, why) for place, why in self.deposits.items()}
        labelled = np.isin(self.truth.address_role, (TrueRole.HOT, TrueRole.COLD))
        clusters |= {self.place(row): Cluster("", 1, "labelled") for row in np.flatnonzero(labelled).tolist()}
        return replace(
            Material("fifo", dict.fromkeys(self.issuers, ())), claims=claims, clusters=clusters, sales=self.sales,
            creations=self.creations,
        )  # fmt: skip

    def right(self, key: Key) -> bool:
        """Whether an address is to a company what a link says."""
        company, place, role = key
        issuer, row = self.issuers[company], self.row(place)
        if row == NOBODY:
            return False
        mine = int(self.truth.address_owner[row]) == issuer
        sold = {sale.contract for sale in self.truth.sales if sale.issuer == issuer}
        collected = {each for sale in self.truth.sales if sale.issuer == issuer for each in sale.collectors}
        account = int(self.truth.address_customer[row]) == issuer
        return {
            Role.CONTROLS: mine, Role.CUSTOMER: account, Role.DEPLOYED: mine and row in self._deployers(),
            Role.RECEIVED: row in collected or mine or account, Role.PAYEE: row in sold or row in collected or account,
        }.get(role, False)  # fmt: skip

    def _deployers(self) -> set[int]:
        made = self.truth.relations[self.truth.relations[:, 0] == True_.DEPLOYED]
        return set(made[:, 1].tolist())

    def knowable(self, said: Sequence[Said]) -> Iterator[tuple[str, Place]]:
        """What could be linked, of each company of which something true is said."""
        true = [each for each in said if not each.against and self._names_truly(each)]
        for subject in self.subjects:
            mine = [each for each in true if each.company == subject.company]
            if not mine:
                continue
            yield from {(subject.company, self.place(each.row)) for each in mine}
            if any(each.row == subject.contract for each in mine):
                yield from ((subject.company, self.place(row)) for row in subject.collectors)
                creation = self.creations.get(self.place(subject.contract))
                if creation is not None and self.right((subject.company, creation.deployer, Role.DEPLOYED)):
                    yield subject.company, creation.deployer

    def _names_truly(self, each: Said) -> bool:
        return any(self.right((each.company, self.place(each.row), role)) for role in (each.role, Role.CUSTOMER))


def _compare(
    world: _World, said: Sequence[Said], found: Counter[tuple[str, str]], roles: Counter[tuple[str, str]],
    covered: Counter[str],
) -> None:  # fmt: skip
    links = infer(world.material(said))
    named = {world.place(each.row) for each in said}
    best: dict[tuple[str, Place], int] = {}
    for key, link in links.items():
        grade, right = link.grade.letter, world.right(key)
        for counts, name in ((found, grade.value), (roles, link.role.value)):
            counts[name, "links"] += 1
            counts[name, "right"] += right
        if world.row(key[1]) in world.victims:
            covered["victims linked"] += 1
            covered["victims linked by no statement"] += key[1] not in named
            covered["victims above a lead"] += grade != Letter.LEAD
        if right:
            place = key[0], key[1]
            best[place] = min(best.get(place, len(ORDER)), ORDER.index(grade))
    for pair in set(world.knowable(said)):
        covered["knowable"] += 1
        if pair in best:
            covered[ORDER[best[pair]].value] += 1
