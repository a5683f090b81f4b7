"""What a use case works on: the settings of this directory and all that follows from them.

Everything is loaded on first use: a command that lists models needs no Kafka client, and one
that only shows settings needs neither Arrow nor a model.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from fraudline.errors import SettingsError
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
        contract: Which contract, where the working directory's project has several.

    Raises:
        SettingsError: a setting is unknown or malformed, or several contracts are there and
            nobody said which one is meant.
    """

    def __init__(self, settings: Settings | None = None, *, contract: str | None = None) -> None:
        if settings is None:
            from fraudline.settings import load_settings

            settings = load_settings(contract)
        self.settings = settings
        tighten(settings.home)

    @cached_property
    def contract(self) -> Contract:
        """What a transaction looks like here."""
        from fraudline.contract import load_contract

        self._require_one()
        found = load_contract(self.settings.contract)
        named = self.settings.named
        if named not in (None, found.name):
            raise SettingsError(
                f"[contract.{named}] is the contract of {self.settings.contract}, which calls "
                f"itself '{found.name}'. Topics, tables and the champion go by one name: write "
                f"[contract.{found.name}]; to keep the names that there are, with "
                f'prefix = "{named}".'
            )
        return found

    def _require_one(self) -> None:
        """Refuse to take one of several contracts for the one that is meant.

        Raises:
            SettingsError: these are settings of none of them.
        """
        from fraudline.settings import SEVERAL, contract_names

        if self.settings.contract == SEVERAL:
            listed = ", ".join(contract_names())
            raise SettingsError(f"one contract is meant here, and there are several: {listed}.")

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
        address = local.addresses(self.settings, local.KAFKA).kafka_bootstrap
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
        services = local.addresses(self.settings, local.BQLITE)
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


def shared_project() -> Project:
    """What all contracts of the working directory's project share: its services and versions.

    Raises:
        SettingsError: a setting is unknown or malformed.
    """
    from fraudline.settings import load_shared_settings

    return Project(load_shared_settings())


def every_project() -> list[Project]:
    """The working directory's project, once for each of its contracts.

    Raises:
        SettingsError: a setting is unknown or malformed.
    """
    from fraudline.settings import contract_names

    return [Project(contract=name) for name in contract_names()] or [Project()]
