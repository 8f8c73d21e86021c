"""All that is said of token sales in one dataset: findings, forms that are none, and leads."""

from __future__ import annotations

from dataclasses import dataclass

from clustering.detect.presale import NoPresale, Presale, SuspectedCollection, find_presales
from clustering.detect.token_sale import Rejected, TokenSale, find_sales
from clustering.ethereum.ledger import EthereumLedger


@dataclass(frozen=True, slots=True)
class SaleReport:
    """Each list in order of the first payment, then of the address."""

    sales: list[TokenSale]
    """Payment and token in one transaction (S1)."""
    presales: list[Presale]
    """Payment first, token later (S2)."""
    rejected: list[Rejected | NoPresale]
    leads: list[SuspectedCollection]
    """Never a finding: nothing says what was collected for."""


def survey(ledger: EthereumLedger) -> SaleReport:
    """The sales of a ledger; what a found sale's contract or collectors took in besides is no lead."""
    sales, rejected = find_sales(ledger)
    presales, none, leads = find_presales(ledger)
    known = {sale.contract for sale in sales} | {presale.address for presale in presales}
    known |= {flow.address for sale in sales for flow in sale.proceeds.collected}
    return SaleReport(sales, presales, [*rejected, *none], [lead for lead in leads if lead.address not in known])
