"""What a key may do. Each route asks for one scope; what declares none is refused at the start."""

from __future__ import annotations

CHAIN_READ = "chain:read"
TRACE_RUN = "trace:run"
COMPANY_READ = "company:read"
COMPANY_WRITE = "company:write"
CASE_READ = "case:read"
CASE_WRITE = "case:write"
DECIDE = "decide"

SCOPES = (CHAIN_READ, TRACE_RUN, COMPANY_READ, COMPANY_WRITE, CASE_READ, CASE_WRITE, DECIDE)
ANONYMOUS = (CHAIN_READ, TRACE_RUN)
"""What a caller without a key may be allowed to do; nothing that has to do with a company."""
