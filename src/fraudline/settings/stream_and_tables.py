"""Broker and BigQuery: where the stream and the tables are, and what they are called."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, SecretStr, create_model, field_validator, model_validator

from fraudline import flows
from fraudline.settings.group import LOCAL, Group
from fraudline.settings.several import DECIDED, GROUP, HISTORY


class _Broker(Group):
    """A broker, and how to log in to it."""

    bootstrap_servers: str = Field(
        LOCAL,
        min_length=1,
        description="Comma-separated host:port of a Kafka or Redpanda cluster; "
        "`local` is the broker that `fraudline up` runs on this machine.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How the connection is protected."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-256", description="How the user proves itself, when the protocol is SASL_…."
    )
    sasl_username: str = Field("", description="User name for SASL.")
    sasl_password: SecretStr = Field(
        SecretStr(""), description="Password for SASL; set it in the environment, not in the file."
    )
    ssl_ca_location: Path | None = Field(
        None, description="PEM file of the authority that signed the broker's certificate."
    )

    @field_validator("bootstrap_servers")
    @classmethod
    def _are_addresses_without_a_secret(cls, value: str) -> str:
        if "@" in value:
            raise ValueError(
                "expected host:port,… without '@'; user and password are sasl_username and "
                "sasl_password"
            )
        return value


if TYPE_CHECKING:
    _Topics = _Broker
else:  # a field `topic_…` for each flow
    _Topics = create_model(
        "_Topics",
        __base__=_Broker,
        **{
            f"topic_{flow.name}": (str, Field(flow.topic, description=flow.setting))
            for flow in flows.FLOWS
        },
    )


class KafkaSettings(_Topics):
    """Which broker carries the stream, how to log in to it, and its topics."""

    partitions: int = Field(
        4, ge=1, le=1000, description="Partitions of a topic that fraudline creates."
    )
    replication_factor: int = Field(
        1, ge=1, le=10, description="Copies of each partition of a topic that fraudline creates."
    )
    group: str = Field(
        GROUP, min_length=1, description="Prefix of the consumer groups of scorers and sinks."
    )

    def topic(self, flow: flows.Flow) -> str:
        """Name of a flow's topic."""
        return str(getattr(self, f"topic_{flow.name}"))

    @model_validator(mode="after")
    def _credentials_match_the_protocol(self) -> KafkaSettings:
        if self.security_protocol.startswith("SASL") and not self.sasl_username:
            raise ValueError(
                f"security_protocol is {self.security_protocol}, but sasl_username is empty"
            )
        return self


class _Dataset(Group):
    """A BigQuery project and a data set in it."""

    project: str = Field(
        LOCAL,
        min_length=1,
        description="Google Cloud project; `local` is the bqlite that `fraudline up` runs.",
    )
    dataset: str = Field("fraud_detection", min_length=1, description="Data set of every table.")
    location: str = Field("US", description="Region in which the data set is created.")
    credentials_file: Path | None = Field(
        None,
        description="Service-account key file; without it, application-default credentials.",
    )
    table_history: str = Field(
        HISTORY, description="Table with labelled history, the training data."
    )


if TYPE_CHECKING:
    _Tables = _Dataset
else:  # a field `table_…` for each flow that is stored, and for each table without a flow
    _Tables = create_model(
        "_Tables",
        __base__=_Dataset,
        **{
            f"table_{name}": (str, Field(table.default, description=table.setting))
            for name, table in (
                *((flow.name, table) for flow, table in flows.stored_flows()),
                *((table.name, table) for table in flows.LEARNING_TABLES),
            )
        },
    )


class BigQuerySettings(_Tables):
    """Which BigQuery project and data set hold history and decisions, and its tables."""

    view_decided: str = Field(
        DECIDED,
        description="View of the decisions in the history table's own schema.",
    )
    maximum_bytes_billed: int = Field(
        1_000_000_000_000,
        ge=0,
        description="Most bytes that a single query may be billed for; BigQuery refuses one that "
        "would read more, and bills nothing. 0 sets no limit.",
    )
    append_format: Literal["arrow", "protobuf"] = Field(
        "arrow", description="How rows travel in the Storage Write API."
    )
    history: str = Field(
        "",
        description="A table or view of yours that is read as history and never written to, "
        "`project.data_set.name` or `data_set.name`; without one it is `table_history`.",
    )
    history_columns: dict[str, str] = Field(
        default_factory=dict,
        description="By column of the contract, what it is called in `history`; those that are "
        "called alike need not be named.",
    )

    @field_validator("history")
    @classmethod
    def _is_a_table(cls, value: str) -> str:
        if value and not re.fullmatch(r"([A-Za-z0-9.:_-]+\.)?[A-Za-z0-9_]+\.[\w-]+", value):
            raise ValueError("expected project.data_set.name or data_set.name of a table or view")
        return value

    @field_validator("history_columns")
    @classmethod
    def _are_column_names(cls, value: dict[str, str]) -> dict[str, str]:
        faulty = [ours for ours, name in value.items() if not re.fullmatch(r"[\w -]{1,300}", name)]
        if faulty:
            raise ValueError(
                f"expected the name of a column for {', '.join(faulty)}; what has to be computed "
                "belongs into a view, which `history` may name"
            )
        return value

    @model_validator(mode="after")
    def _columns_are_of_a_history(self) -> BigQuerySettings:
        if self.history_columns and not self.history:
            raise ValueError("history_columns names columns of `history`, which is not set")
        return self

    def table(self, of: flows.Flow | flows.LearningTable) -> str:
        """Name of the table that stores a flow, or that `fraudline learn` writes."""
        return str(getattr(self, f"table_{of.name}"))
