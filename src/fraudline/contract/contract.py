"""The contract file, read and checked."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract.columns import COLUMN_TYPES, NUMERIC_TYPES, Column, arrow_schema
from fraudline.contract.records import DECISION_COLUMNS, REJECT_COLUMNS
from fraudline.errors import ContractError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_COLUMN_KEYS = {"type", "description", "unit", "min", "max", "max_length", "nullable", "feature"}
_ROLES = {"label", "amount", "event_time", "id"}
_FILE_TYPES = tuple(name for name in COLUMN_TYPES if name != "bytes")


@dataclass(frozen=True)
class Contract:
    """What one kind of transaction looks like.

    Attributes:
        name: Short name, used in versions and messages.
        description: For people.
        columns: All columns of a labelled transaction, in the order of the file.
        label: Column that is 1 (or true) where the transaction was a fraud.
        amount: Column with what is lost if a fraud is approved.
        event_time: Column that orders the history: a number of seconds, or a timestamp.
        id: Column that identifies a transaction, if there is one.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    label: str
    amount: str
    event_time: str
    id: str | None = None

    @cached_property
    def transaction_columns(self) -> tuple[Column, ...]:
        """The columns of a transaction in flight: all but the label."""
        return tuple(column for column in self.columns if column.name != self.label)

    @cached_property
    def decision_columns(self) -> tuple[Column, ...]:
        """The columns of a decision: the transaction's, then what was decided."""
        return (*self.transaction_columns, *DECISION_COLUMNS)

    @cached_property
    def transaction_schema(self) -> pa.Schema:
        """Arrow schema of a batch of transactions in flight."""
        return arrow_schema(self.transaction_columns)

    @cached_property
    def history_schema(self) -> pa.Schema:
        """Arrow schema of labelled transactions."""
        return arrow_schema(self.columns)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Names of the columns that a network sees, in the order of its input."""
        return tuple(column.name for column in self.transaction_columns if column.is_feature)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over columns, types, limits and roles: equal when data are interchangeable."""
        content = asdict(self)
        del content["description"]
        for column in content["columns"]:
            del column["description"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def column(self, name: str) -> Column:
        """The column with this name."""
        return next(column for column in self.columns if column.name == name)

    def feature_matrix(self, transactions: pa.RecordBatch | pa.Table) -> npt.NDArray[np.float32]:
        """The input of a network: float32, shape (rows, features), in feature order.

        A bool counts as 0 or 1, and a timestamp as its second of the day in UTC, since a
        float32 could not tell two seconds of this century apart.
        """
        matrix = np.empty((transactions.num_rows, len(self.features)), dtype=np.float32)
        for index, name in enumerate(self.features):
            values = transactions.column(name)
            if self.column(name).type == "timestamp":
                since_midnight = pc.subtract(
                    values.cast(pa.int64()),
                    pc.floor_temporal(values, unit="day").cast(pa.int64()),
                )
                values = pc.divide(since_midnight.cast(pa.float64()), 1e6)
            elif self.column(name).type == "bool":
                values = values.cast(pa.int8())
            matrix[:, index] = (
                values.to_numpy(zero_copy_only=False)
                if isinstance(values, pa.Array)
                else values.to_numpy()
            )
        return matrix

    def labels(self, history: pa.RecordBatch | pa.Table) -> npt.NDArray[np.int8]:
        """The label of each row, 1 for fraud, shape (rows,)."""
        return np.asarray(history.column(self.label).cast(pa.int8()), dtype=np.int8)

    def amounts(self, transactions: pa.RecordBatch | pa.Table) -> npt.NDArray[np.float64]:
        """The amount of each row, in the contract's unit, shape (rows,)."""
        return np.asarray(transactions.column(self.amount), dtype=np.float64)


def load_contract(name_or_path: str) -> Contract:
    """Read a contract that fraudline brings, by name, or any other, by the path of its file.

    Raises:
        ContractError: there is no such file, or it is not a contract; the message names
            the table and key that is wrong and what is allowed there.
    """
    path = Path(name_or_path)
    brought = resources.files("fraudline") / "contracts" / f"{name_or_path}.toml"
    if path.suffix != ".toml" and _NAME.fullmatch(name_or_path) and brought.is_file():
        text, where = brought.read_text(), f"contract '{name_or_path}'"
    elif path.is_file():
        text, where = path.read_text(), f"contract {path}"
    else:
        names = sorted(
            entry.name.removesuffix(".toml")
            for entry in (resources.files("fraudline") / "contracts").iterdir()
        )
        raise ContractError(
            f"there is no contract '{name_or_path}': expected the path of a .toml file, "
            f"or one of {', '.join(names)}."
        )
    try:
        return _parse(tomllib.loads(text), where)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ContractError(f"{where} is not valid TOML: {error}.") from None


def _parse(content: dict[str, Any], where: str) -> Contract:
    _known_keys(content, {"name", "description", "roles", "columns"}, where)
    name = content.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ContractError(f"{where}: name must be letters, digits and _, found {name!r}.")
    roles = content.get("roles", {})
    _known_keys(roles, _ROLES, f"{where}, [roles]")
    columns = content.get("columns", {})
    if not isinstance(columns, dict) or not columns:
        raise ContractError(f"{where}: [columns] is empty; a transaction has at least one column.")
    parsed = tuple(_parse_column(key, value, where) for key, value in columns.items())
    _check_names(parsed, where)
    for role in sorted(_ROLES):
        if role not in roles and role != "id":
            raise ContractError(f"{where}, [roles]: '{role}' is missing; name its column.")
        if role in roles and roles[role] not in columns:
            raise ContractError(
                f"{where}, [roles]: {role} = {roles[role]!r} is not one of its columns."
            )
    contract = Contract(
        name=name,
        description=str(content.get("description", "")),
        columns=tuple(
            replace(column, is_feature=False)
            if column.name in (roles["label"], roles.get("id"))
            else column
            for column in parsed
        ),
        label=roles["label"],
        amount=roles["amount"],
        event_time=roles["event_time"],
        id=roles.get("id"),
    )
    _check_roles(contract, where)
    return contract


def _parse_column(name: str, value: Any, where: str) -> Column:
    where = f"{where}, column '{name}'"
    if not isinstance(value, dict):
        raise ContractError(f'{where}: expected a table such as {{ type = "float64" }}.')
    _known_keys(value, _COLUMN_KEYS, where)
    kind = value.get("type")
    if kind not in _FILE_TYPES:
        raise ContractError(f"{where}: type is {kind!r}, expected one of {', '.join(_FILE_TYPES)}.")
    for key in ("min", "max"):
        limit = value.get(key)
        if limit is not None and (
            kind not in NUMERIC_TYPES
            or isinstance(limit, bool)
            or not isinstance(limit, int | float)
        ):
            raise ContractError(f"{where}: {key} = {limit!r} needs a numeric column and a number.")
    is_number = kind in NUMERIC_TYPES or kind == "bool"
    is_feature = bool(value.get("feature", is_number))
    is_nullable = bool(value.get("nullable", False))
    if is_feature and (kind == "string" or is_nullable):
        raise ContractError(
            f"{where}: a network cannot see a string or a null; set feature = false."
        )
    return Column(
        name=name,
        type=kind,
        description=str(value.get("description", "")),
        unit=str(value.get("unit", "")),
        min=value.get("min"),
        max=value.get("max"),
        max_length=int(value.get("max_length", Column.max_length)),
        is_nullable=is_nullable,
        is_feature=is_feature,
    )


def _known_keys(table: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise ContractError(
            f"{where}: unknown key {', '.join(unknown)}; known are {', '.join(sorted(known))}."
        )


def _check_names(columns: tuple[Column, ...], where: str) -> None:
    taken = {column.name.lower(): "reserved for decisions" for column in DECISION_COLUMNS}
    taken |= {column.name.lower(): "reserved for rejects" for column in REJECT_COLUMNS}
    for column in columns:
        if not _NAME.fullmatch(column.name):
            raise ContractError(
                f"{where}: '{column.name}' is not a BigQuery column name "
                "(letters, digits and _, not starting with a digit)."
            )
        # BigQuery tells column names apart without regard to case, and so must we.
        reason = taken.setdefault(column.name.lower(), "there twice, but for upper and lower case")
        if reason.startswith("reserved") or taken.get(f"seen {column.name.lower()}"):
            raise ContractError(f"{where}: the column name '{column.name}' is {reason}.")
        taken[f"seen {column.name.lower()}"] = "yes"


def _check_roles(contract: Contract, where: str) -> None:
    allowed = {
        "label": ("int64", "bool"),
        "amount": ("float64", "int64"),
        "event_time": ("float64", "int64", "timestamp"),
        "id": ("string", "int64"),
    }
    for role, types in allowed.items():
        name = getattr(contract, role)
        if name is None:
            continue
        column = contract.column(name)
        if column.type not in types or column.is_nullable:
            raise ContractError(
                f"{where}: {role} column '{name}' must be {' or '.join(types)} and not "
                f"nullable, found {column.type}{', nullable' if column.is_nullable else ''}."
            )
    if not contract.features:
        raise ContractError(f"{where}: no column is a feature, so nothing can be learned.")
