"""What can be checked of the container files without an engine."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from chain.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, dict[str, dict[str, object]]]:
    loaded: dict[str, dict[str, dict[str, object]]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_dockerfile_copies_what_is_there_and_installs_by_hash() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY") and "--from" not in line for word in line.split()[1:-1]]
    assert {"chain", "clustering", "api", "requirements.lock"} <= set(copied)
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert any("--require-hashes" in line for line in lines)


def test_services_depend_on_services_and_volumes_that_are_declared(
    compose: dict[str, dict[str, dict[str, object]]],
) -> None:
    services = compose["services"]
    for name, service in services.items():
        assert ("image" in service) != ("build" in service), name
        depends = service.get("depends_on", {})
        assert isinstance(depends, dict)
        assert set(depends) <= set(services)
        volumes = service.get("volumes", [])
        assert isinstance(volumes, list)
        assert {volume.split(":")[0] for volume in volumes} <= set(compose["volumes"])


def test_the_environment_names_settings(compose: dict[str, dict[str, dict[str, object]]]) -> None:
    environment = compose["services"]["headwater"]["environment"]
    assert isinstance(environment, dict)
    assert {f"HEADWATER_{name.upper()}" for name in Settings.model_fields} >= set(environment)


def test_the_lock_has_hashes_and_no_host() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    pinned = [line for line in text.splitlines() if "==" in line and not line.startswith("#")]
    assert len(pinned) > 50
    assert all(line.rstrip().endswith("\\") for line in pinned), "each pin is followed by its hashes"
