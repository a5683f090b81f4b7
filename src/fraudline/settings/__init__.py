"""Every setting once: its type, its unit, its default and a sentence.

A setting is read, in this order, from an environment variable (`FRAUDLINE_KAFKA__GROUP`),
from `fraudline.toml`, or from the default below. A variable that is empty counts as not set. A
name that is not listed here is refused, so a misspelt one cannot be silently ignored.

The file is looked for in the working directory and then in each directory above it, as git looks
for its own. The directory where it is found is the project's: relative paths in it, and the
default of `home`, are meant from there, so that a command does the same anywhere below.

A file may have several contracts, `[contract.NAME]`. Then settings are of one of them, and nobody
is given one without saying which.
"""

from fraudline.settings.all_settings import (
    ENVIRONMENT_PREFIX,
    SEVERAL,
    Settings,
    contract_names,
    load_settings,
    load_shared_settings,
)
from fraudline.settings.group import LOCAL
from fraudline.settings.places import (
    ApiSettings,
    LocalSettings,
    MetricsSettings,
    MlflowSettings,
    RegistrySettings,
)
from fraudline.settings.schema_registry import SchemaRegistrySettings
from fraudline.settings.settings_file import SETTINGS_FILE, find_settings_file
from fraudline.settings.stream_and_tables import BigQuerySettings, KafkaSettings
from fraudline.settings.ways import (
    LearningSettings,
    PolicySettings,
    ScoringSettings,
    SinkSettings,
    TrainingSettings,
)

__all__ = [
    "ENVIRONMENT_PREFIX",
    "LOCAL",
    "SETTINGS_FILE",
    "SEVERAL",
    "ApiSettings",
    "BigQuerySettings",
    "KafkaSettings",
    "LearningSettings",
    "LocalSettings",
    "MetricsSettings",
    "MlflowSettings",
    "PolicySettings",
    "RegistrySettings",
    "SchemaRegistrySettings",
    "ScoringSettings",
    "Settings",
    "SinkSettings",
    "TrainingSettings",
    "contract_names",
    "find_settings_file",
    "load_settings",
    "load_shared_settings",
]
