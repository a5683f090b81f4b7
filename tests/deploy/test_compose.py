"""The Compose file: what it publishes, what it runs, and that it holds no secret."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from fraudline.cli.app import app
from fraudline.settings import load_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def test_it_has_the_services_that_the_guide_names():
    assert set(SERVICES) == {"redpanda", "console", "setup", "score", "sink", "learn", "connect"}
    assert set(OURS) == {"setup", "score", "sink", "learn"}


def test_every_port_is_published_on_loopback_only():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_a_version(name):
    assert re.search(r":v?\d+\.\d+\.\d+$", SERVICES[name]["image"])


def test_the_images_that_ours_is_built_from_have_a_version():
    bases = re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-\w+", base) for base in bases)


@pytest.mark.parametrize("name", OURS)
def test_our_services_run_commands_that_exist(name):
    known = {command.callback.__name__ for command in app.registered_commands if command.callback}
    (command,) = OURS[name]["command"]
    assert command in known


@pytest.mark.parametrize("name", ["score", "sink", "learn"])
def test_a_loop_that_ends_because_it_stood_still_is_started_anew(name):
    assert OURS[name]["restart"] in {"unless-stopped", "always", "on-failure"}


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_given_settings_that_exist(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for variable, value in OURS[name]["environment"].items():
        monkeypatch.setenv(variable, re.sub(r"\$\{\w+:[?-]([^}]*)\}", r"\1", value))
    settings = load_settings()
    assert settings.kafka.bootstrap_servers == "redpanda:9092"
    assert settings.bigquery.location == "US"


def test_learn_does_nothing_that_its_container_cannot(monkeypatch, tmp_path):
    assert all(volume.endswith(":ro") for volume in OURS["learn"]["volumes"])
    assert "training" not in (DEPLOY / "Dockerfile").read_text(), "what learns is not installed"
    monkeypatch.chdir(tmp_path)
    for variable, value in OURS["learn"]["environment"].items():
        monkeypatch.setenv(variable, re.sub(r"\$\{\w+:[?-]([^}]*)\}", r"\1", value))
    learning = load_settings().learning
    assert (learning.promotes, learning.update) == (False, "off")


def test_our_image_has_the_cache_of_models_for_its_user():
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", "")
    (made,) = re.findall(r"^RUN install (.*)$", text, re.MULTILINE)
    assert made.split()[-1] == "/var/lib/fraudline/models-cache"
    assert "--owner=fraudline" in made
    assert text.index("useradd") < text.index("RUN install") < text.index("USER fraudline")


def test_our_image_runs_as_a_user_without_rights():
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    user, entry = lines.index("USER fraudline"), lines.index('ENTRYPOINT ["fraudline"]')
    assert user < entry
    assert "USER root" not in lines
    for service in OURS.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]


def test_the_two_sinks_never_start_together_by_themselves():
    """Both store every decision, so each stands behind a profile of its own."""
    profiles = {name: service.get("profiles") for name, service in SERVICES.items()}
    assert profiles["sink"] == ["sink"]
    assert profiles["connect"] == ["connect"]
    assert profiles["score"] is None


def test_the_key_comes_from_a_file_that_the_user_names():
    assert COMPOSE["secrets"] == {
        "bigquery_key": {"file": "${BIGQUERY_KEY_FILE:?give the path of a service-account key}"}
    }
    users = {name for name, service in SERVICES.items() if "secrets" in service}
    assert users == {*OURS, "connect"}


def test_what_the_wheel_is_made_of_is_copied_into_the_image():
    copied = re.findall(
        r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE
    )
    places = {each for line in copied for each in line.split()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {each for each in packages if each.partition("/")[0] not in places} == set()


def test_what_is_copied_into_the_image_exists_and_is_sent_to_the_engine():
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    sent = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists()
            assert f"!{source.partition('/')[0]}" in sent
