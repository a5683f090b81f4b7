"""What a use case works on: the settings of this directory and all that follows from them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from fraudline import flows, local
from fraudline.contract import Contract, load_contract
from fraudline.registry import Registry
from fraudline.settings import LOCAL, KafkaSettings, Settings, load_settings

if TYPE_CHECKING:  # Google's clients take a second to import, and a scorer needs none
    from fraudline.warehouse.client import Warehouse


class Project:
    """The settings, with the addresses of local services filled in; all on first use."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = load_settings() if settings is None else settings

    @cached_property
    def contract(self) -> Contract:
        """What a transaction looks like here."""
        return load_contract(self.settings.contract)

    @cached_property
    def registry(self) -> Registry:
        """The model versions of this project."""
        return Registry(self.settings.home)

    @cached_property
    def kafka(self) -> KafkaSettings:
        """The broker, by its real address."""
        kafka = self.settings.kafka
        if kafka.bootstrap_servers != LOCAL:
            return kafka
        address = local.addresses(self.settings).kafka_bootstrap
        return kafka.model_copy(update={"bootstrap_servers": address})

    @cached_property
    def warehouse(self) -> Warehouse:
        """The data set in BigQuery."""
        from fraudline.warehouse.client import Endpoint, Warehouse

        bigquery = self.settings.bigquery
        if bigquery.project != LOCAL:
            return Warehouse(bigquery, None)
        services = local.addresses(self.settings)
        return Warehouse(bigquery, Endpoint(services.bigquery_rest, services.bigquery_storage))

    @property
    def reports(self) -> Path:
        """Directory of what `load` and `check` tell."""
        return self.settings.home / "reports"

    @property
    def load_account(self) -> Path:
        """What became of the rows of the file that was loaded last."""
        return self.reports / "load.json"

    @property
    def stream_topics(self) -> list[str]:
        """The topics that the stream needs."""
        return [self.settings.kafka.topic(flow) for flow in flows.FLOWS]
