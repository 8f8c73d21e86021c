"""Tracing for people: seeds read, ledgers opened, money followed, results written."""
