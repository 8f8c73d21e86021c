"""Who may ask the service what: keys and scopes, the database role, rate limits, and the audit log."""
