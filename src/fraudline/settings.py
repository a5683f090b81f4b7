"""Every setting once: its type, its unit, its default and a sentence.

A setting is read, in this order, from an environment variable (`FRAUDLINE_KAFKA__GROUP`),
from `fraudline.toml`, or from the default below. A variable that is empty counts as not set. A
name that is not listed here is refused, so a misspelt one cannot be silently ignored.

The file is looked for in the working directory and then in each directory above it, as git looks
for its own. The directory where it is found is the project's: relative paths in it, and the
default of `home`, are meant from there, so that a command does the same anywhere below.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from fraudline import flows
from fraudline.errors import SettingsError
from fraudline.settings_groups import SchemaRegistrySettings
from fraudline.settings_groups import SettingsGroup as _Group

SETTINGS_FILE = Path("fraudline.toml")
ENVIRONMENT_PREFIX = "FRAUDLINE_"
LOCAL = "local"
_DAY_S = 86400.0


class _Broker(_Group):
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
        "fraudline", min_length=1, description="Prefix of the consumer groups of scorers and sinks."
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


class _Dataset(_Group):
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
        "fraud_detection_train", description="Table with labelled history, the training data."
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
        "decided_transactions",
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


class ScoringSettings(_Group):
    """How a scorer trades delay for throughput."""

    batch_rows: int = Field(
        8000, ge=1, le=100_000, description="Most transactions in one Kafka transaction."
    )
    repeat_window_offsets: int = Field(
        100_000,
        ge=1,
        le=1_000_000,
        description="How many offsets of its partition later a transaction that is sent again, "
        "with the same id, is still given its first decision; for contracts with an id.",
    )


class PolicySettings(_Group):
    """What decisions cost, in the unit of the contract's amount; for models trained from now on.

    The defaults are round figures for card payments in a currency's main unit. Put your own: for
    a contract that fraudline does not bring, none of the three costs may be a default when a
    version becomes the champion.
    """

    lost_share: float = Field(
        1.0, ge=0, le=10, description="Share of the amount that is lost with an approved fraud."
    )
    fraud_cost: float = Field(
        15.0, ge=0, le=1e12, description="What an approved fraud costs besides, such as a fee."
    )
    review_cost: float = Field(4.0, ge=0, le=1e12, description="What one review costs.")
    wrong_block_cost: float = Field(
        25.0, gt=0, le=1e12, description="What it costs to block a legitimate payment."
    )
    most_reviews_a_day: float = Field(
        100.0,
        ge=0,
        le=1e12,
        description="How many reviews there may be a day, in the mean of the validation part.",
    )
    above_review_cap: Literal["approve", "block"] = Field(
        "approve",
        description="What is done with a payment that would be reviewed if the cap allowed it.",
    )
    explore_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Of the payments that would be blocked, which share is reviewed instead, so "
        "that people label them and the model can learn what it blocks; within the cap. 0 is none.",
    )


class TrainingSettings(_Group):
    """What is learned from, and how our own recipes learn.

    What is not set of a recipe is its own, and follows from measurements. The tutorial's recipes
    learn as the tutorial has them, whatever stands here.
    """

    most_rows: int = Field(
        2_000_000,
        ge=1000,
        description="Most rows of the history that are read. Of a larger one all frauds are, and "
        "of the legitimate payments one in so many, by a hash, so that they are the same each "
        "time; each figure counts them as often. Two million rows of 30 numbers take some 4 GB.",
    )
    learning_rate: float | None = Field(
        None, gt=0, le=0.1, description="Of AdamW, after its first steps."
    )
    weight_decay: float | None = Field(
        None,
        ge=0,
        le=10,
        description="Share of each weight, times the rate, that a step takes from it.",
    )
    batch_rows: int | None = Field(None, ge=8, le=65_536, description="Rows in a step.")
    legitimate_per_fraud: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="Legitimate payments that are learned for each fraud, drawn anew whenever "
        "all frauds were learned once more.",
    )
    most_steps: int | None = Field(
        None,
        ge=100,
        le=10_000_000,
        description="Steps after which learning ends at the latest; it ends before, once the "
        "validation part is no longer ranked better.",
    )


class RegistrySettings(_Group):
    """Where the versions are, and who is the champion."""

    url: str = Field(
        LOCAL,
        description="`local` keeps them in the home directory; s3://bucket/prefix or "
        "gs://bucket/prefix in an object store, for every machine. Credentials, region and "
        "endpoint go into the variables AWS_… or GOOGLE_….",
    )

    @field_validator("url")
    @classmethod
    def _is_a_bucket_without_a_secret(cls, value: str) -> str:
        name = r"[A-Za-z0-9_][A-Za-z0-9_.=-]*"
        if value != LOCAL and not re.fullmatch(rf"(s3|gs)://{name}(/{name})*/?", value):
            raise ValueError(
                f"expected '{LOCAL}', s3://bucket/prefix or gs://bucket/prefix, of letters, "
                "digits, '.', '_', '-' and '='; credentials and endpoint go into the variables "
                "AWS_… or GOOGLE_…"
            )
        return value.rstrip("/")


class MlflowSettings(_Group):
    """Where trained versions are recorded for people to compare; scorers never read it."""

    tracking_uri: str = Field(
        LOCAL,
        description="Address of an MLflow server; `local` keeps the record in the home directory, "
        "in SQLite. User, password or token go into MLflow's own variables (MLFLOW_TRACKING_…).",
    )

    @field_validator("tracking_uri")
    @classmethod
    def _is_an_address_without_a_secret(cls, value: str) -> str:
        if value != LOCAL and not re.fullmatch(r"https?://[^@?#\s]+", value):
            raise ValueError(
                f"expected '{LOCAL}' or http(s)://host:port/path without user, password, '?' or "
                "'#'; secrets go into MLflow's own variables, MLFLOW_TRACKING_TOKEN for example"
            )
        return value


class SinkSettings(_Group):
    """How a sink trades delay for throughput."""

    batch_rows: int = Field(
        5000, ge=1, le=50_000, description="Most rows in one append to BigQuery."
    )
    commit_interval_ms: int = Field(
        1000, ge=0, le=60_000, description="Time between two commits of Kafka offsets."
    )


class LearningSettings(_Group):
    """How `fraudline learn` goes through the stream."""

    period_s: float = Field(
        86400.0,
        ge=1,
        le=31 * 86400,
        description="How long a period is in which the stream is judged and watched, seconds; "
        "counted from midnight UTC by `decided_at`.",
    )
    update: Literal["fine-tuning", "last-layer", "off"] = Field(
        "fine-tuning",
        description="How a new version learns what became known, at the end of each period: all "
        "layers a little, the last one alone, or not at all. None of them decides anything "
        "before it is promoted.",
    )
    update_rate: float = Field(
        3e-4,
        gt=0,
        le=0.01,
        description="Learning rate of fine-tuning; what is learned faster is forgotten faster.",
    )
    update_averaging: float = Field(
        0.99,
        ge=0,
        lt=1,
        description="How much of the mean of its weights so far a step of fine-tuning keeps; what "
        "comes out is that mean. 0 takes the last weights as they are.",
    )
    promotes: bool = Field(
        True,
        description="Whether `learn` makes a version the champion that the gate finds better, and "
        "goes back where the former champion is found better; without it, it only says so.",
    )
    recalibrates: bool = Field(
        True,
        description="Whether `learn` calibrates the champion anew on what matured last, period by "
        "period, and promotes that calibration where the gate finds that it says better what "
        "scores mean. It ranks as before.",
    )
    retrain_every_days: float = Field(
        0.0,
        ge=0,
        le=3660,
        description="How many days after the last time `learn` trains a new network on all that is "
        "known by then, and makes it a challenger; 0 never does by itself. `fraudline learning "
        "retrain` does it now.",
    )
    retrain_on_alarm: bool = Field(
        False,
        description="Whether `learn` does so, too, where an alarm still stands when seven periods "
        "since it began are mature; once for an alarm.",
    )
    removed_after_days: int = Field(
        90,
        ge=0,
        description="How many days after its labels are mature `learn` removes a version that it "
        "made and that never decided anything, nor was named by anybody; 0 removes none.",
    )
    memory_frauds: int = Field(
        2000,
        ge=20,
        le=20_000,
        description="How many of the newest frauds are learned each time, old ones among them, "
        "with 80 legitimate payments for each; a tenth of a megabyte of memory a fraud.",
    )

    @field_validator("period_s")
    @classmethod
    def _begins_at_midnight(cls, value: float) -> float:
        periods, days = _DAY_S / value, value / _DAY_S
        if not (periods.is_integer() or days.is_integer()):
            raise ValueError(
                "expected a part of a day, such as 3600 or 60, or whole days, so that a period "
                "begins at each midnight, or at some"
            )
        return value


class MetricsSettings(_Group):
    """What `score`, `sink` and `learn` let others see of them, by HTTP."""

    host: str = Field(
        "127.0.0.1", min_length=1, description="Address at which metrics and health are served."
    )
    port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port of GET /metrics and GET /health; 0 serves nothing. "
        "Each process needs one of its own.",
    )
    stalled_after_s: float = Field(
        5.0,
        gt=0,
        description="How long a process may go without proving that it moves before it counts "
        "as unhealthy, and a stage before `reconcile --follow` turns red, seconds.",
    )


class LocalSettings(_Group):
    """The services that `fraudline up` runs on this machine, always on 127.0.0.1."""

    kafka_port: int = Field(
        0, ge=0, le=65535, description="Port of the broker; 0 takes a free one."
    )
    bigquery_port: int = Field(
        0, ge=0, le=65535, description="Port of bqlite's REST API; 0 takes a free one."
    )
    bigquery_storage_port: int = Field(
        0, ge=0, le=65535, description="Port of bqlite's Storage API (gRPC); 0 takes a free one."
    )
    kafka_heap_mb: int = Field(512, ge=256, description="Memory of the broker's Java heap, MiB.")
    start_timeout_s: float = Field(
        60.0, gt=0, description="How long a service may take to prove that it works, seconds."
    )


class Settings(BaseSettings):
    """All settings of one project directory."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
    )

    home: Path = Field(
        Path(".fraudline"),
        description="Directory for everything that fraudline keeps: models, reports, logs, "
        "and the data of the local services.",
    )
    contract: str = Field(
        "creditcard",
        min_length=1,
        description="What a transaction looks like: the name of a contract that fraudline "
        "brings, or the path of a TOML file.",
    )
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    schema_registry: SchemaRegistrySettings = Field(default_factory=SchemaRegistrySettings)
    bigquery: BigQuerySettings = Field(default_factory=BigQuerySettings)
    scoring: ScoringSettings = Field(default_factory=ScoringSettings)
    policy: PolicySettings = Field(default_factory=PolicySettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    registry: RegistrySettings = Field(default_factory=RegistrySettings)
    mlflow: MlflowSettings = Field(default_factory=MlflowSettings)
    sink: SinkSettings = Field(default_factory=SinkSettings)
    learning: LearningSettings = Field(default_factory=LearningSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    local: LocalSettings = Field(default_factory=LocalSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then the TOML file: nothing else is read."""
        return (
            init_settings,
            env_settings,
            _ProjectFile(settings_cls),
        )


class _ProjectFile(TomlConfigSettingsSource):
    """`fraudline.toml`, with relative paths meant from where it is."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        self._file = find_settings_file()
        super().__init__(settings_cls, toml_file=self._file)

    def __call__(self) -> dict[str, Any]:
        """What the file says; nothing without one."""
        found = super().__call__()
        if self._file is None or self._file.parent == Path.cwd():
            return found
        named = {"home": Settings.model_fields["home"].default, **found}
        for *groups, name in _PATHS:
            holder = named.get(groups[0]) if groups else named
            value = holder.get(name) if isinstance(holder, dict) else None
            if isinstance(value, str | Path) and (name != "contract" or not _is_brought(value)):
                assert isinstance(holder, dict)
                holder[name] = str(self._file.parent / value)
        return named


_PATHS = (
    *(("home",), ("contract",), ("kafka", "ssl_ca_location"), ("bigquery", "credentials_file")),
    ("schema_registry", "ssl_ca_location"),
)


def _is_brought(contract: str | Path) -> bool:
    """Whether this names a contract that fraudline brings, as `contract_file` has them."""
    name = str(contract)
    return (
        name.isidentifier()
        and Path(__file__).with_name("contracts").joinpath(f"{name}.toml").is_file()
    )


def find_settings_file() -> Path | None:
    """The `fraudline.toml` of the working directory, or the nearest one above it.

    Raises:
        SettingsError: the one above is another user's, who could lead this one's data astray.
    """
    try:
        here = Path.cwd()
    except OSError:  # it was removed meanwhile: there is no file in it either
        return None
    for directory in (here, *here.parents):
        file = directory / SETTINGS_FILE
        if not os.path.isfile(file):  # noqa: PTH113 - False where this user may not look, too
            continue
        if directory != here and file.stat().st_uid != os.getuid():
            raise SettingsError(
                f"{file} belongs to another user, so its settings are not taken for a directory "
                f"below it. To use them nevertheless, run fraudline in {directory}."
            )
        return file
    return None


def load_settings() -> Settings:
    """Read the settings of the working directory, or of the project that it is in.

    Raises:
        SettingsError: a setting is unknown or malformed; the message names each one and
            what is allowed, and never repeats a value, which may be a secret.
    """
    known = {f"{ENVIRONMENT_PREFIX}{name}".upper() for name in _names()}
    unknown = sorted(
        name
        for name in os.environ
        if name.upper().startswith(ENVIRONMENT_PREFIX) and name.upper() not in known
    )
    if unknown:
        raise SettingsError(
            f"unknown setting in the environment: {', '.join(unknown)}. "
            "The known ones are listed by `fraudline settings`."
        )
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'settings'}: "
            + (
                "there is no such setting"
                if fault["type"] == "extra_forbidden"
                else fault["msg"].removeprefix("Value error, ")
            )
            for fault in error.errors()
        )
        raise SettingsError(
            f"the settings (from {find_settings_file() or SETTINGS_FILE} or {ENVIRONMENT_PREFIX}…) "
            "are not valid: "
            f"{faults}. The known ones are listed by `fraudline settings`."
        ) from None
    except ValueError as error:  # the TOML file itself does not parse
        raise SettingsError(f"{find_settings_file()} cannot be read: {error}.") from None


def _names() -> list[str]:
    names = []
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, _Group):
            names += [f"{name}__{inner}" for inner in group.model_fields]
        else:
            names.append(name)
    return names
