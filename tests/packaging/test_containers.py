"""What `docker-compose.yml` and the `Dockerfile` say of Penstock is so."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from penstock.runs.settings import PREFIX, Settings
from penstock.ui.cli.app import app
from penstock.ui.dev import phoenix
from support.checkout import ROOMS, ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "penstock"]


def test_compose_file_is_of_the_schema() -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [checker, "--builtin-schema", "vendor.compose-spec", ROOT / "docker-compose.yml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_nobody_special_and_says_whether_it_works(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "10001:10001"
    assert service["cap_drop"] == ["ALL"]
    assert "healthcheck" in service or service["restart"] == "no"
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", OURS)
def test_every_service_runs_a_command_that_there_is(name: str) -> None:
    commands: Any = get_command(app)
    for typed in (SERVICES[name]["command"], SERVICES[name].get("healthcheck", {}).get("test", [])):
        words = [word for word in typed if word not in {"CMD", "penstock"}]
        if not words or words[0] == "python":
            continue
        command = commands.commands[words[0]]
        command.make_context(words[0], words[1:])


@pytest.mark.parametrize("name", OURS)
def test_every_setting_is_one(name: str) -> None:
    told = {key for key in SERVICES[name]["environment"] if key.startswith(PREFIX)}
    assert told <= {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}


def test_phoenix_is_the_one_that_was_tried_and_as_hard() -> None:
    service = SERVICES["phoenix"]
    assert f"version-{phoenix.VERSION}-" in service["image"]
    hardened = phoenix.HARDENED
    told = service["environment"]
    assert {name: told.get(name) for name in hardened} == hardened


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_goes_into_the_image(room: str) -> None:
    assert f"!{room}" in (ROOT / ".dockerignore").read_text().splitlines()
