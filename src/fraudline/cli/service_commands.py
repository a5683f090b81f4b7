"""`up`, `down`, `status`, `setup`, `settings`: what fraudline stands on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fraudline.cli.contract_option import ContractName, choose
from fraudline.cli.screen import OUT, say, show_facts, show_table
from fraudline.use_cases.project import Project, every_project, shared_project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel


def up() -> None:
    """Start the local broker and bqlite, and create topics and tables in them.

    Services that run already stay as they are; those that the settings place elsewhere are
    not started.
    """
    from fraudline.use_cases.set_up import start

    for project in every_project():
        services = start(project, say, say_created).services
    OUT.print(f"Kafka      {services.kafka_bootstrap}")
    OUT.print(f"BigQuery   {services.bigquery_rest}  (Storage API {services.bigquery_storage})")


def down() -> None:
    """Stop the local services; what they hold stays on disk."""
    from fraudline.use_cases.local_services import stop

    stop(shared_project(), say)


def status() -> None:
    """Show the local services: whether each runs and answers, and where its log is."""
    from fraudline.use_cases.local_services import status as find_services

    services = find_services(shared_project())
    show_table(
        ("service", "state", "pid", "address", "MiB", "up s"),
        (
            (
                service.name,
                f"{service.state}{f': {service.detail}' if service.detail else ''}",
                service.pid,
                service.address,
                None if service.memory_bytes is None else service.memory_bytes // 2**20,
                None if service.uptime_s is None else int(service.uptime_s),
            )
            for service in services
        ),
    )
    for service in services:
        OUT.print(f"log of {service.name}: {os.path.relpath(service.log)}", markup=False)


def setup(contract: ContractName = None) -> None:
    """Create the topics, the data set, the tables and the view that do not exist yet.

    Of several contracts it does so for each, or for the one that is named.

    Tables of an earlier release are brought up to date, and it says what changed.
    Works on whatever broker and BigQuery project the settings name. `up` does it for the
    local ones.
    """
    from fraudline.use_cases.set_up import set_up

    if contract is not None:
        choose(contract)
    for project in [Project()] if contract is not None else every_project():
        set_up(project, say_created, say)
        named = project.settings.named
        of = "" if named is None else f" of contract {named}"
        say(f"topics and tables{of} are there.")


def settings() -> None:
    """List every setting: its value here, and what it means."""
    from fraudline.settings import ENVIRONMENT_PREFIX, SETTINGS_FILE, find_settings_file

    here = Project().settings
    for name, value, meaning in listed(here):
        OUT.print(f"{name} = {'' if value is None else value}".rstrip(), markup=False)
        show_facts([("   ", meaning or "")])
    file = find_settings_file()
    OUT.print(
        f"There is no {SETTINGS_FILE}, neither here nor in a directory above."
        if file is None
        else f"Read from {file}; relative paths in it are meant from {file.parent}.",
        markup=False,
    )
    OUT.print(
        f"In the environment, `kafka.group` is {ENVIRONMENT_PREFIX}KAFKA__GROUP; "
        f"in {SETTINGS_FILE} it is group = … under {here.heading('kafka')}.",
        markup=False,
    )


def listed(group: BaseModel, prefix: str = "") -> Iterator[tuple[str, object, str | None]]:
    """Every setting: its name as `group.name`, its value, and its sentence."""
    for name, field in type(group).model_fields.items():
        value = getattr(group, name)
        if hasattr(type(value), "model_fields"):
            yield from listed(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value, field.description


def say_created(topic: str) -> None:
    """Say that a topic was created."""
    say(f"created topic {topic}")


COMMANDS = (up, down, status, setup, settings)
