"""Fixtures that every tier shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The first call of a kernel compiles it, which takes longer than any deadline for an example.
settings.register_profile("headwater", deadline=None)
settings.load_profile("headwater")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real chain data; the test is skipped, with the reason, where it is absent."""
    folder = Path(os.environ.get("HEADWATER_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "bitcoin").is_dir():
        pytest.skip(f"no real chain data: HEADWATER_DATA={folder} has no bitcoin/ folder")
    return folder
