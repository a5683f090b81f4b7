"""Several contracts in one `fraudline.toml`: each has its own names, by convention.

`[contract.NAME]` is a contract. What stands under `[contract.NAME.kafka]` and so on counts for it
alone; all else is shared. Here a file with several becomes, for each contract, what a file with
that one alone would say, so that nothing else needs to know that there are more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fraudline import flows
from fraudline.errors import SettingsError

OF_A_CONTRACT = ("kafka", "bigquery", "scoring", "policy", "training", "sink", "learning")
"""Groups of settings that a contract may have of its own."""
GROUP = "fraudline"
"""Prefix of consumer groups, where nobody gave one."""
HISTORY, DECIDED = "fraud_detection_train", "decided_transactions"
"""The table of the history and the view of what was decided, where nobody gave others."""

_TOPICS = {f"topic_{flow.name}": flow.topic for flow in flows.FLOWS}
_TABLES = {
    **{f"table_{flow.name}": table.default for flow, table in flows.stored_flows()},
    **{f"table_{table.name}": table.default for table in flows.LEARNING_TABLES},
    "table_history": HISTORY,
    "view_decided": DECIDED,
}
NAMES: dict[str, tuple[str, ...]] = {
    "kafka": ("group", *_TOPICS),
    "bigquery": (*_TABLES, "history", "history_columns"),
}
"""By group, the settings that no two contracts can have in common, or would mean by the same."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_PREFIX = re.compile(r"[A-Za-z0-9_]{0,128}")


def comes_with_us(contract: str | Path) -> bool:
    """Whether this names a contract that fraudline brings, as `contract_file` has them."""
    name = str(contract)
    contracts = Path(__file__).parent.with_name("contracts")
    return name.isidentifier() and contracts.joinpath(f"{name}.toml").is_file()


def by_contract(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a file would say if it had one contract alone, by the names of its contracts.

    Args:
        content: The file.

    Returns:
        None of them if the file has no tables `[contract.NAME]`.

    Raises:
        SettingsError: what stands there cannot be, or two contracts would share a name.
    """
    tables = content.get("contract")
    if not isinstance(tables, dict):
        return {}
    faults = [*_name_faults(tables), *_shared_faults(content)]
    for name, table in tables.items():
        faults += _table_faults(name, table)
    if not faults:
        found = {name: _alone(name, table, content) for name, table in tables.items()}
        faults += _common(found)
    if faults:
        raise SettingsError(f"{'; '.join(faults)}.")
    return found


def _name_faults(tables: Mapping[str, Any]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for name in tables:
        if not _NAME.fullmatch(name):
            yield f"contract.{name}: a contract is called by letters, digits and _"
        # Files and tables are called after it where case may count for nothing.
        elif seen.setdefault(name.lower(), name) != name:
            yield f"contract.{name}: it is there twice, but for case"
    if not tables:
        yield "contract: there is no table [contract.NAME] in it"


def _shared_faults(content: Mapping[str, Any]) -> Iterator[str]:
    """Settings that would hold for each contract, and are meant for one."""
    for group, names in NAMES.items():
        given = content.get(group)
        for name in sorted(set(names) & set(given)) if isinstance(given, dict) else ():
            if name != "group":
                yield (
                    f"{group}.{name} would be of every contract; write it under "
                    f"[contract.NAME.{group}]"
                )
    if "policy" in content:
        yield (
            "policy: costs are in the unit of one contract's amount; write them under "
            "[contract.NAME.policy]"
        )


def _table_faults(name: str, table: Any) -> Iterator[str]:
    where = f"contract.{name}"
    if not isinstance(table, dict):
        yield f"{where}: expected a table, [{where}]"
        return
    known = ("file", "prefix", *OF_A_CONTRACT)
    for key in sorted(set(table) - set(known)):
        yield f"{where}.{key}: there is no such setting of a contract; there are {', '.join(known)}"
    if not isinstance(table.get("file", "x"), str) or not table.get("file", "x"):
        yield f"{where}.file: expected the path of a TOML file, or a contract that fraudline brings"
    prefix = table.get("prefix", "")
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        yield f"{where}.prefix: expected letters, digits and _, or nothing"
    for group in OF_A_CONTRACT:
        if not isinstance(table.get(group, {}), dict):
            yield f"{where}.{group}: expected a table, [{where}.{group}]"


def _alone(name: str, table: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    prefix = table.get("prefix", name)
    base = {group: content.get(group, {}) for group in OF_A_CONTRACT}
    found = {key: value for key, value in content.items() if key != "contract"}
    found["contract"] = table.get("file", name if comes_with_us(name) else f"{name}.toml")
    topics = {key: f"{prefix}.{topic}" if prefix else topic for key, topic in _TOPICS.items()}
    tables = {key: f"{prefix}_{each}" if prefix else each for key, each in _TABLES.items()}
    called: dict[str, dict[str, Any]] = {"kafka": topics, "bigquery": tables}
    if isinstance(base["kafka"], dict) and prefix:
        topics["group"] = f"{base['kafka'].get('group', GROUP)}.{prefix}"
    for group in OF_A_CONTRACT:
        if isinstance(base[group], dict):  # else what reads it says what is wrong
            own = {**base[group], **called.get(group, {}), **table.get(group, {})}
            if own or group in content:
                found[group] = own
    return found


def _common(contents: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What two contracts would share, and must not."""
    holders: dict[tuple[str, ...], tuple[str, str]] = {}
    for name, content in contents.items():
        kafka, bigquery = (content.get(group, {}) for group in ("kafka", "bigquery"))
        if not (isinstance(kafka, dict) and isinstance(bigquery, dict)):
            return
        cluster = str(kafka.get("bootstrap_servers", ""))
        data_set = (str(bigquery.get("project", "")), str(bigquery.get("dataset", "")))
        called = {
            **{f"kafka.{key}": ("topic", cluster, str(kafka[key])) for key in _TOPICS},
            "kafka.group": ("group", cluster, str(kafka.get("group", GROUP))),
            **{
                f"bigquery.{key}": ("table", *data_set, str(bigquery[key]).lower())
                for key in _TABLES
            },
        }
        for key, what in called.items():
            other, its_key = holders.setdefault(what, (name, key))
            if other != name:
                group, _, setting = key.partition(".")
                yield (
                    f"contracts '{other}' and '{name}' would share {what[0]} {what[-1]!r} "
                    f"({its_key} and {key}); give one of them another prefix, or another "
                    f"{setting} under [contract.{name}.{group}]"
                )
