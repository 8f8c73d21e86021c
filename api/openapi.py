"""Writes docs/openapi.json, the description of the service that is committed and compared by a test.

python -m api.openapi
"""

from __future__ import annotations

import json
from pathlib import Path

from api.app import create_app

PATH = Path(__file__).parents[1] / "docs" / "openapi.json"


def description() -> str:
    """The OpenAPI document, as text."""
    return json.dumps(create_app().openapi(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    PATH.write_text(description())
