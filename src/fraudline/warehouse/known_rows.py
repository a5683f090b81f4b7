"""What is known of payments at a moment, read so that no more comes back the longer a stream runs.

All frauds of the newest ones, and of legitimate payments a draw by a hash of their position: it is
the same draw whenever it is asked for. Payments that were blocked and never labelled are left out,
and counted: nobody knows what they were.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline import flows
from fraudline.contract import BLOCK, Contract
from fraudline.contract.array_types import Flags, Floats
from fraudline.contract.columns import EARLIEST, LATEST
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.counting_labels import labelled_sql
from fraudline.warehouse.history_sample import is_drawn_sql
from fraudline.warehouse.history_source import find_history
from fraudline.warehouse.history_table import digest_of
from fraudline.warehouse.learning_tables import is_there
from fraudline.warehouse.query import query, sql_literal

LEAST_FRAUDS = 20
"""Mature frauds without which nothing is judged, and so nothing learned."""
MOST_JUDGED = 200_000
"""Rows that judge, at most."""
_JUDGED_PART = 5  # of the mature frauds, the newest fifth judges
_SEED = "fraudline known"
_FIRST_REACH, _FURTHER = dt.timedelta(days=30), 4
_HIDDEN = f"(decision = '{BLOCK}' AND label IS NULL)"
_POSITION = ("source_topic", "source_partition", "source_offset")
_PLACE = (
    "CONCAT(source_topic, ':', CAST(source_partition AS STRING), ':', "
    "CAST(source_offset AS STRING))"
)


@dataclass(frozen=True)
class TooFew:
    """Why there is nothing to read.

    Attributes:
        mature_frauds: How many there are.
    """

    mature_frauds: int


@dataclass(frozen=True)
class Known:
    """Known payments, oldest first by event time; the n-th entries belong together.

    Attributes:
        rows: With the history's columns.
        is_learned: Whether it is drawn to be learned, shape (rows,).
        is_judged: Whether it is of the newest ones that are mature: of these none is left out.
        is_before: Whether it was decided before the first of those, and if it is a fraud, known by
            then; or is of the history.
        known_s: Since when it is known, seconds since 1970; -inf of the history.
        since: When the oldest of the stream was decided.
        judged_since: When the oldest one that judges was.
        until: When the newest one was.
        of_history: How many are of the history.
        hidden: How many payments of that time were left out.
        table: Full name of the table of decisions.
        query: What read them.
        sha256: Of the rows' values.
    """

    rows: pa.Table
    is_learned: Flags
    is_judged: Flags
    is_before: Flags
    known_s: Floats
    since: dt.datetime
    judged_since: dt.datetime
    until: dt.datetime
    of_history: int
    hidden: int
    table: str
    query: str
    sha256: str


def read_known(
    warehouse: Warehouse,
    contract: Contract,
    *,
    as_of: dt.datetime,
    most_frauds: int,
    legitimate_per_fraud: int,
) -> Known | TooFew:
    """Read what is known at a moment: told by a label that had arrived, or mature without one.

    Args:
        warehouse: Its tables of decisions, labels and history are read.
        contract: What a transaction looks like, and when it is mature.
        as_of: The moment.
        most_frauds: The newest so many are read; where the stream has fewer, the newest of the
            history beside them.
        legitimate_per_fraud: About how many legitimate payments are drawn for each of them.

    Raises:
        ContractError: a column of the contract is called like one of its label beside a decision.
        WarehouseError: the tables cannot be queried.
    """
    frauds = _newest_frauds(warehouse, contract, as_of, most_frauds)
    mature = frauds.filter(frauds.column("is_mature")).column("decided_at").to_pylist()
    if len(mature) < LEAST_FRAUDS:
        return TooFew(len(mature))
    since = min(frauds.column("decided_at").to_pylist())
    judged = max(LEAST_FRAUDS, len(mature) // _JUDGED_PART)
    judged_since = max(mature[judged - 1], _newest_mature(warehouse, contract, as_of, since))
    judging = sum(at >= judged_since for at in mature)
    if judging < LEAST_FRAUDS:
        return TooFew(judging)
    legitimate, hidden = _count(warehouse, contract, as_of, since)
    share = legitimate_per_fraud * frauds.num_rows / max(legitimate, 1)
    sql = _rows_sql(warehouse, contract, as_of, since, judged_since, share)
    stream = query(warehouse, sql)
    missing = most_frauds - frauds.num_rows
    history = _history(warehouse, contract, missing, legitimate_per_fraud, _first(contract, stream))
    return _together(warehouse, contract, stream, history, judged_since, hidden, sql)


def count_mature_frauds(warehouse: Warehouse, contract: Contract, as_of: dt.datetime) -> int:
    """How many of the stream's payments are known to be frauds and mature, up to what is needed.

    Args:
        warehouse: Of its tables of decisions and labels a few columns are read.
        contract: What a transaction looks like, and when it is mature.
        as_of: The moment.

    Raises:
        WarehouseError: the tables cannot be queried.
    """
    frauds = _newest_frauds(warehouse, contract, as_of, LEAST_FRAUDS, is_mature=True)
    return int(frauds.num_rows)


def _newest_frauds(
    warehouse: Warehouse,
    contract: Contract,
    as_of: dt.datetime,
    most: int,
    *,
    is_mature: bool = False,
) -> pa.Table:
    """When the newest frauds were decided, newest first, and whether they are mature.

    Further and further back, until there are enough of them: a stream of years is not read for
    the frauds of its last weeks.
    """
    reach = dt.timedelta(days=contract.maturity_days) + _FIRST_REACH
    while True:
        since = as_of - reach if reach < as_of - EARLIEST else EARLIEST
        frauds = query(
            warehouse,
            "SELECT decided_at, is_mature FROM "  # noqa: S608 - names come from settings and a checked contract
            f"({_labelled(warehouse, contract, as_of, since)}) "
            f"WHERE is_fraud{' AND is_mature' if is_mature else ''} "
            "ORDER BY decided_at DESC, source_topic, source_partition, source_offset "
            f"LIMIT {most:d}",
        )
        if frauds.num_rows >= most or since == EARLIEST:
            return frauds
        reach *= _FURTHER


def _first(contract: Contract, stream: pa.Table) -> float | dt.datetime:
    """The event time of the oldest payment that judges."""
    judging = stream.filter(stream.column("is_judged"))
    found: float | dt.datetime = pc.min(judging.column(contract.event_time)).as_py()
    return found


def _labelled(
    warehouse: Warehouse,
    contract: Contract,
    as_of: dt.datetime,
    since: dt.datetime = EARLIEST,
    columns: tuple[str, ...] = (),
) -> str:
    return labelled_sql(
        warehouse,
        contract,
        columns,
        moment=sql_literal(as_of),
        since=sql_literal(since),
        until=sql_literal(LATEST),
    )


def _newest_mature(
    warehouse: Warehouse, contract: Contract, as_of: dt.datetime, since: dt.datetime
) -> dt.datetime:
    """When the oldest of the newest `MOST_JUDGED` mature payments was decided."""
    found = query(
        warehouse,
        "SELECT decided_at FROM "  # noqa: S608 - likewise
        f"({_labelled(warehouse, contract, as_of, since)}) "
        f"WHERE is_mature AND NOT {_HIDDEN} ORDER BY decided_at DESC LIMIT 1 OFFSET {MOST_JUDGED}",
    )
    return found.column("decided_at")[0].as_py() if found.num_rows else since


def _count(
    warehouse: Warehouse, contract: Contract, as_of: dt.datetime, since: dt.datetime
) -> tuple[int, int]:
    """How many payments are known to be legitimate, and of how many nobody knows."""
    row = query(
        warehouse,
        f"SELECT COUNTIF(NOT is_fraud AND NOT {_HIDDEN}) AS legitimate, "  # noqa: S608 - likewise
        f"COUNTIF({_HIDDEN}) AS hidden FROM ({_labelled(warehouse, contract, as_of, since)})",
    ).to_pylist()[0]
    return row["legitimate"], row["hidden"]


def _rows_sql(
    warehouse: Warehouse,
    contract: Contract,
    as_of: dt.datetime,
    since: dt.datetime,
    judged_since: dt.datetime,
    share: float,
) -> str:
    names = tuple(column.name for column in contract.transaction_columns)
    labelled = _labelled(warehouse, contract, as_of, since, names)
    judged = f"(is_mature AND decided_at >= {sql_literal(judged_since)})"
    drawn = f"(is_fraud OR {is_drawn_sql(_SEED, _PLACE, share)})"
    wanted = ", ".join(f"`{name}`" for name in (*names, *_POSITION))
    return (
        f"SELECT {wanted}, decided_at, is_fraud, label IS NOT NULL AS is_told, label_known_at, "  # noqa: S608 - likewise
        f"label_arrived_at, {judged} AS is_judged, {drawn} AS is_learned FROM ({labelled}) "
        f"WHERE is_fraud IS NOT NULL AND NOT {_HIDDEN} AND ({drawn} OR {judged})"
    )


def _history(
    warehouse: Warehouse,
    contract: Contract,
    most_frauds: int,
    legitimate_per_fraud: int,
    end: float | dt.datetime,
) -> pa.Table:
    """The newest frauds of the labelled history, and a draw of what is legitimate since.

    Only of what happened before the payments that judge: somebody may have loaded those, too.
    """
    settings = warehouse.settings
    nothing = contract.history_schema.empty_table()
    if most_frauds <= 0 or not (settings.history or is_there(warehouse, settings.table_history)):
        return nothing
    source = find_history(warehouse, contract).sql
    is_fraud = f"CAST(`{contract.label}` AS INT64) = 1"
    at = f"`{contract.event_time}`"
    is_before = f"{at} < {sql_literal(end)}"
    newest = query(
        warehouse,
        f"SELECT {at} AS at FROM {source} WHERE {is_fraud} AND {is_before} ORDER BY {at} DESC "  # noqa: S608 - likewise
        f"LIMIT {most_frauds:d}",
    ).column("at")
    if not len(newest):
        return nothing
    since = sql_literal(pc.min(newest).as_py())
    counted = query(
        warehouse,
        f"SELECT COUNTIF(NOT ({is_fraud})) AS legitimate FROM {source} "  # noqa: S608 - likewise
        f"WHERE {at} >= {since} AND {is_before}",
    )
    legitimate = counted.column("legitimate")[0].as_py()
    names = ", ".join(f"`{column.name}`" for column in contract.columns)
    # Rows of one time and amount are drawn together. All columns would take ten times as long.
    telling = dict.fromkeys(filter(None, (contract.id, contract.event_time, contract.amount)))
    hashed = ", ".join(f"CAST(`{name}` AS STRING)" for name in telling)
    drawn = is_drawn_sql(_SEED, hashed, legitimate_per_fraud * len(newest) / max(legitimate, 1))
    rows = query(
        warehouse,
        f"SELECT {names} FROM {source} "  # noqa: S608 - likewise
        f"WHERE {at} >= {since} AND {is_before} AND ({is_fraud} OR {drawn})",
    ).cast(contract.history_schema)
    return rows.sort_by([(column.name, "ascending") for column in contract.columns])


def _together(
    warehouse: Warehouse,
    contract: Contract,
    stream: pa.Table,
    history: pa.Table,
    judged_since: dt.datetime,
    hidden: int,
    sql: str,
) -> Known:
    stream = stream.sort_by([("decided_at", "ascending"), *((n, "ascending") for n in _POSITION)])
    told = pc.fill_null(
        pc.if_else(
            pc.greater(stream.column("label_known_at"), stream.column("label_arrived_at")),
            stream.column("label_known_at"),
            stream.column("label_arrived_at"),
        ),
        pa.scalar(EARLIEST),
    )
    maturity = dt.timedelta(days=contract.maturity_days)
    matured = pc.add(stream.column("decided_at"), pa.scalar(maturity))
    known_at = pc.if_else(stream.column("is_told"), told, matured)
    kind = contract.history_schema.field(contract.label).type
    label = pc.cast(stream.column("is_fraud"), kind)
    at = contract.history_schema.get_field_index(contract.label)
    names = [column.name for column in contract.transaction_columns]
    paid = stream.select(names).add_column(at, contract.history_schema.field(contract.label), label)
    rows = pa.concat_tables(
        [history, paid.select(contract.history_schema.names).cast(contract.history_schema)]
    )
    order = np.argsort(contract.event_seconds(rows), kind="stable")
    old, decided_at = history.num_rows, stream.column("decided_at")

    def ordered(of_history: float, of_stream: pa.ChunkedArray) -> np.ndarray:
        values = of_stream.to_numpy()
        return np.concatenate([np.full(old, of_history, values.dtype), values])[order]

    seconds = pc.divide(pc.cast(pc.cast(known_at, pa.timestamp("us", "UTC")), "int64"), 1e6)
    kept = rows.take(pa.array(order)).combine_chunks()
    return Known(
        rows=kept,
        is_learned=ordered(True, stream.column("is_learned")),
        is_judged=ordered(False, stream.column("is_judged")),
        is_before=ordered(
            True,
            pc.and_(
                pc.less(decided_at, pa.scalar(judged_since)),
                # A version that decided those could not have learned frauds that were told later.
                pc.or_(
                    pc.invert(stream.column("is_fraud")),
                    pc.less_equal(known_at, pa.scalar(judged_since)),
                ),
            ),
        ),
        known_s=ordered(-np.inf, seconds),
        since=pc.min(decided_at).as_py(),
        judged_since=judged_since,
        until=pc.max(decided_at).as_py(),
        of_history=old,
        hidden=hidden,
        table=warehouse.table(warehouse.settings.table(flows.DECISIONS)),
        query=sql,
        sha256=digest_of(kept),
    )
