"""What a use case works on: the settings of this directory and all that follows from them.

Everything is loaded on first use: a command that lists models needs no Kafka client, and one
that only shows settings needs neither Arrow nor a model.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from fraudline.home import tighten

if TYPE_CHECKING:
    from pathlib import Path

    from fraudline.contract import Contract
    from fraudline.registry import Registry
    from fraudline.schemas import MessageForms
    from fraudline.settings import KafkaSettings, Settings
    from fraudline.warehouse.client import Warehouse


class Project:
    """The settings, with the addresses of local services filled in; all on first use.

    Args:
        settings: Those of the working directory, without any.

    Raises:
        SettingsError: a setting is unknown or malformed.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        if settings is None:
            from fraudline.settings import load_settings

            settings = load_settings()
        self.settings = settings
        tighten(settings.home)

    @cached_property
    def contract(self) -> Contract:
        """What a transaction looks like here."""
        from fraudline.contract import load_contract

        return load_contract(self.settings.contract)

    @cached_property
    def registry(self) -> Registry:
        """The model versions of this project."""
        from fraudline.registry import Registry

        url = self.settings.registry.url
        return Registry(self.settings.home, lambda: self.contract.name, url)

    @cached_property
    def kafka(self) -> KafkaSettings:
        """The broker, by its real address."""
        from fraudline import local
        from fraudline.settings import LOCAL

        kafka = self.settings.kafka
        if kafka.bootstrap_servers != LOCAL:
            return kafka
        address = local.addresses(self.settings).kafka_bootstrap
        return kafka.model_copy(update={"bootstrap_servers": address})

    @cached_property
    def forms(self) -> MessageForms | None:
        """What makes JSON of messages in other forms; None without a schema registry.

        Raises:
            SettingsError: what reads schemas is not installed.
        """
        from fraudline.schemas import MessageForms

        settings = self.settings.schema_registry
        return MessageForms(settings) if settings.url else None

    @cached_property
    def warehouse(self) -> Warehouse:
        """The data set in BigQuery."""
        from fraudline import local
        from fraudline.settings import LOCAL
        from fraudline.warehouse.client import Endpoint, Warehouse

        bigquery = self.settings.bigquery
        if bigquery.project != LOCAL:
            return Warehouse(bigquery, None)
        services = local.addresses(self.settings)
        return Warehouse(bigquery, Endpoint(services.bigquery_rest, services.bigquery_storage))

    @property
    def reports(self) -> Path:
        """Directory of what `load` and `check` tell of this contract's history."""
        return self.settings.home / "reports" / self.contract.name

    @property
    def load_account(self) -> Path:
        """What became of the rows of the file that was loaded last."""
        return self.reports / "load.json"

    @property
    def refused_account(self) -> Path:
        """Why the file that was refused last was not loaded."""
        return self.reports / "load-refused.json"

    @property
    def stream_topics(self) -> list[str]:
        """The topics that the stream needs."""
        from fraudline import flows

        return [self.settings.kafka.topic(flow) for flow in flows.FLOWS]
