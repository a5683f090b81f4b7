"""All settings of one project, read from the environment and from `fraudline.toml`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PrivateAttr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from fraudline.errors import SettingsError
from fraudline.settings.group import Group
from fraudline.settings.places import (
    ApiSettings,
    LocalSettings,
    MetricsSettings,
    MlflowSettings,
    RegistrySettings,
)
from fraudline.settings.schema_registry import SchemaRegistrySettings
from fraudline.settings.settings_file import SETTINGS_FILE, find_settings_file
from fraudline.settings.several import NAMES, by_contract, comes_with_us
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
    schema_registry: SchemaRegistrySettings = Field(default_factory=SchemaRegistrySettings)
    registry: RegistrySettings = Field(default_factory=RegistrySettings)
    mlflow: MlflowSettings = Field(default_factory=MlflowSettings)
    sink: SinkSettings = Field(default_factory=SinkSettings)
    learning: LearningSettings = Field(default_factory=LearningSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    local: LocalSettings = Field(default_factory=LocalSettings)

    _named: str | None = PrivateAttr(None)

    @property
    def named(self) -> str | None:
        """Which of a project's contracts they are of; None where it has but one, without a name."""
        return self._named

    def heading(self, group: str) -> str:
        """Under which heading of `fraudline.toml` a group stands that is of this contract."""
        return f"[{group}]" if self._named is None else f"[contract.{self._named}.{group}]"

    def of_contract(self, name: str | None, contract: str) -> Self:
        """The same settings, of one of a project's contracts.

        Args:
            name: Its name in `fraudline.toml`.
            contract: Its file, or the name of one that fraudline brings.
        """
        found = self.model_copy(update={"contract": contract})
        found._named = name  # noqa: SLF001 - of its own class
        return found

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
    """`fraudline.toml`, with relative paths meant from where it is.

    Of one with several contracts it is what the chosen one's would say.
    """

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        self._file = find_settings_file()
        super().__init__(settings_cls, toml_file=self._file)

    def __call__(self) -> dict[str, Any]:
        """What the file says; nothing without one."""
        found = super().__call__()
        if contents := by_contract(found):
            name = _chosen.get()
            found = {**found, "contract": SEVERAL} if name is None else contents[name]
        return self._resolved(found)

    def contents(self) -> dict[str, dict[str, Any]]:
        """What it would say for each of its contracts; none if it has but one, without a name."""
        contents = by_contract(super().__call__())
        return {name: self._resolved(content) for name, content in contents.items()}

    def _resolved(self, found: dict[str, Any]) -> dict[str, Any]:
        if self._file is None or self._file.parent == Path.cwd():
            return found
        named = {"home": Settings.model_fields["home"].default, **found}
        for *groups, name in _PATHS:
            holder = named.get(groups[0]) if groups else named
            value = holder.get(name) if isinstance(holder, dict) else None
            is_path = name != "contract" or not (value == SEVERAL or comes_with_us(value or ""))
            if isinstance(value, str | Path) and is_path:
                assert isinstance(holder, dict)
                holder[name] = str(self._file.parent / value)
        return named


SEVERAL = "(several)"
"""In the place of a contract: settings that all contracts of a project share."""
_PATHS = (
    *(("home",), ("contract",), ("kafka", "ssl_ca_location"), ("bigquery", "credentials_file")),
    ("schema_registry", "ssl_ca_location"),
)
_chosen: ContextVar[str | None] = ContextVar("_chosen", default=None)


def contract_names() -> list[str]:
    """The contracts of the working directory's project, if its file has tables `[contract.NAME]`.

    Raises:
        SettingsError: what stands there cannot be.
    """
    with _told():
        return list(_ProjectFile(Settings).contents())


def load_settings(contract: str | None = None) -> Settings:
    """Read the settings of the working directory, or of the project that it is in.

    Args:
        contract: Which of several contracts is meant; else the one that `FRAUDLINE_CONTRACT` names.

    Raises:
        SettingsError: a setting is unknown or malformed; the message names each one and
            what is allowed, and never repeats a value, which may be a secret. Or there are several
            contracts, and nobody said which.
    """
    _require_known_variables()
    with _told():
        contents = _ProjectFile(Settings).contents()
    if not contents:
        with _told():
            return Settings()
    name = _choice(contents, contract)
    token = _chosen.set(name)
    try:
        with _told(f", contract '{name}',"):
            found = Settings()
    finally:
        _chosen.reset(token)
    _require_own_names(found, contents[name], name)
    return found.of_contract(name, contents[name]["contract"])


def load_shared_settings() -> Settings:
    """What all contracts share; where there is but one, its settings.

    Of several, no topic, table or group is in it that anything goes through.

    Raises:
        SettingsError: as `load_settings`.
    """
    if not contract_names():
        return load_settings()
    _require_known_variables()
    with _told():
        return Settings().of_contract(None, SEVERAL)


def _choice(contents: Mapping[str, Mapping[str, Any]], asked: str | None) -> str:
    """The contract that is meant.

    Raises:
        SettingsError: nobody said which, or there is no such contract.
    """
    variable = f"{ENVIRONMENT_PREFIX}CONTRACT"
    given = {name.upper(): value for name, value in os.environ.items()}.get(variable)
    asked = asked or given or (next(iter(contents)) if len(contents) == 1 else None)
    where, listed = find_settings_file(), ", ".join(contents)
    if not asked:
        raise SettingsError(
            f"{where} has several contracts: {listed}. Say which one is meant, by --contract NAME "
            f"or {variable}; a program by Project(contract=NAME)."
        )
    # What a process of ours is given names the file.
    called = [name for name, each in contents.items() if asked in (name, str(each["contract"]))]
    if len(called) != 1:
        raise SettingsError(f"{where} has no contract {asked!r}; it has {listed}.")
    return called[0]


def _require_own_names(found: Settings, content: Mapping[str, Any], contract: str) -> None:
    """Refuse a variable that would call something of every contract alike.

    Raises:
        SettingsError: there is one.
    """
    for group, names in NAMES.items():
        given, own = getattr(found, group), content.get(group, {})
        for name in names:
            default = type(given).model_fields[name].get_default(call_default_factory=True)
            if getattr(given, name) != own.get(name, default):
                raise SettingsError(
                    f"{ENVIRONMENT_PREFIX}{group}__{name}".upper() + " would hold for each of "
                    f"several contracts; write it under [contract.{contract}.{group}] in "
                    f"{find_settings_file()}."
                )


def _require_known_variables() -> None:
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


@contextmanager
def _told(which: str = "") -> Iterator[None]:
    """Tell what is wrong with a setting, without its value.

    Raises:
        SettingsError: something is.
    """
    try:
        yield
    except SettingsError as error:  # of the tables of several contracts
        raise SettingsError(f"{find_settings_file()}: {error}") from None
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
            f"the settings (from {find_settings_file() or SETTINGS_FILE}{which} or "
            f"{ENVIRONMENT_PREFIX}…) are not valid: "
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
