"""`python -m api.cli`: how the service starts its workers."""

from api.cli import main

main()
