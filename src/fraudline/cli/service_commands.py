"""`up`, `down`, `status`, `setup`, `settings`: what fraudline stands on."""

from __future__ import annotations

import os

from pydantic import BaseModel

from fraudline import local
from fraudline.cli.screen import OUT, say, show_table
from fraudline.settings import ENVIRONMENT_PREFIX, Settings
from fraudline.use_cases.project import Project
from fraudline.use_cases.set_up import set_up


def up() -> None:
    """Start the local broker and bqlite, and create topics and tables in them.

    Services that run already stay as they are; those that the settings place elsewhere are
    not started.
    """
    project = Project()
    services = local.up(project.settings, say)
    create_topics_and_tables(project)
    OUT.print(f"Kafka      {services.kafka_bootstrap}")
    OUT.print(f"BigQuery   {services.bigquery_rest}  (Storage API {services.bigquery_storage})")


def down() -> None:
    """Stop the local services; what they hold stays on disk."""
    local.down(Project().settings, say)


def status() -> None:
    """Show the local services: whether each runs and answers, and where its log is."""
    services = local.status(Project().settings)
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


def setup() -> None:
    """Create the topics, the data set, the tables and the view that do not exist yet.

    Works on whatever broker and BigQuery project the settings name. `up` does it for the
    local ones.
    """
    create_topics_and_tables(Project())
    say("topics and tables are there.")


def settings() -> None:
    """List every setting: its value here, and what it means."""
    rows = []

    def walk(group: BaseModel, prefix: str) -> None:
        for name, field in type(group).model_fields.items():
            value = getattr(group, name)
            if isinstance(value, BaseModel):
                walk(value, f"{prefix}{name}.")
            else:
                rows.append((f"{prefix}{name}", value, field.description))

    found: Settings = Project().settings
    walk(found, "")
    show_table(("setting", "value", "meaning"), rows)
    OUT.print(
        f"In the environment, `kafka.group` is {ENVIRONMENT_PREFIX}KAFKA__GROUP; "
        "in fraudline.toml it is group = … under [kafka].",
        markup=False,
    )


def create_topics_and_tables(project: Project) -> None:
    """Create what the stream needs where it is missing, and say what was created."""
    for topic in set_up(project):
        say(f"created topic {topic}")


COMMANDS = (up, down, status, setup, settings)
