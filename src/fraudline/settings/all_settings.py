"""All settings of one project, read from the environment and from `fraudline.toml`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from fraudline.errors import SettingsError
from fraudline.settings.group import Group
from fraudline.settings.places import (
    LocalSettings,
    MetricsSettings,
    MlflowSettings,
    RegistrySettings,
)
from fraudline.settings.settings_file import SETTINGS_FILE, find_settings_file
from fraudline.settings.stream_and_tables import BigQuerySettings, KafkaSettings
from fraudline.settings.ways import (
    LearningSettings,
    PolicySettings,
    ScoringSettings,
    SinkSettings,
    TrainingSettings,
)

ENVIRONMENT_PREFIX = "FRAUDLINE_"


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


_PATHS = (("home",), ("contract",), ("kafka", "ssl_ca_location"), ("bigquery", "credentials_file"))


def _is_brought(contract: str | Path) -> bool:
    """Whether this names a contract that fraudline brings, as `contract_file` has them."""
    name = str(contract)
    return (
        name.isidentifier()
        and Path(__file__).parent.with_name("contracts").joinpath(f"{name}.toml").is_file()
    )


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
        if isinstance(group, type) and issubclass(group, Group):
            names += [f"{name}__{inner}" for inner in group.model_fields]
        else:
            names.append(name)
    return names
