"""What an address' answer says of companies, to who names a case."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from api.access.guard import Access
from api.linking.reading import links_of_address
from api.routes.service import Service, answered


async def with_links(service: Service, access: Access | None, body: Any) -> Response:
    """The answer, with the links of its address in the case that was named; null where none was."""
    if access is None:
        return answered(body)
    async with access.working() as work:
        assert access.case is not None, "the header was asked for"
        links = await links_of_address(
            work.connection, service.views.url, service.views.home, work.language, access.case, work.person, body
        )
        return work.answered({**body, "company_links": links}, len(links["items"]))
