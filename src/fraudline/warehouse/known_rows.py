"""What is known of payments at a moment, read so that no more comes back the longer a stream runs.

All frauds of the newest ones, and of legitimate payments a draw by a hash of their position: it is
the same draw whenever it is asked for. Payments that were blocked and never labelled stand apart:
nobody knows what they were.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from fraudline import flows
from fraudline.contract import Contract
from fraudline.contract.columns import EARLIEST, LATEST
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.counting_labels import HIDDEN, labelled_sql
from fraudline.warehouse.known_history import drawn_sql, known_history
from fraudline.warehouse.known_payments import POSITION, Known, known_of
from fraudline.warehouse.needs_time import require_event_time
from fraudline.warehouse.query import query, sql_literal

LEAST_FRAUDS = 20
"""Mature frauds without which nothing is judged, and so nothing learned."""
MOST_JUDGED = 200_000
"""Rows that judge, at most."""
_JUDGED_PART = 5  # of the mature frauds, the newest fifth judges
_FIRST_REACH, _FURTHER = dt.timedelta(days=30), 4
_EXPLORED = "(label IS NOT NULL AND propensity IS NOT NULL)"
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
        InputError: the contract has no event time.
        ContractError: a column of the contract is called like one of its label beside a decision.
        WarehouseError: the tables cannot be queried.
    """
    require_event_time(contract)
    frauds = _newest_frauds(warehouse, contract, as_of, most_frauds)
    mature = frauds.filter(frauds.column("is_mature")).column("decided_at").to_pylist()
    if len(mature) < LEAST_FRAUDS:
        return TooFew(len(mature))
    since = min(frauds.column("decided_at").to_pylist())
    judged = max(LEAST_FRAUDS, len(mature) // _JUDGED_PART)
    judged_since = max(mature[judged - 1], newest_mature(warehouse, contract, as_of, since))
    judging = sum(at >= judged_since for at in mature)
    if judging < LEAST_FRAUDS:
        return TooFew(judging)
    counts = _count(warehouse, contract, as_of, since)
    shares = _Shares(
        min(legitimate_per_fraud * frauds.num_rows / max(counts.legitimate, 1), 1.0),
        most_frauds / max(counts.hidden, 1),
        most_frauds / max(counts.explored, 1),
    )
    sql = _rows_sql(warehouse, contract, as_of, since, judged_since, shares)
    read = query(warehouse, sql)
    missing = most_frauds - frauds.num_rows
    history = known_history(
        warehouse, contract, missing, legitimate_per_fraud, _first(contract, read)
    )
    return known_of(
        contract,
        read,
        history,
        judged_since=judged_since,
        drawn_share=shares.legitimate,
        hidden=counts.hidden,
        table=warehouse.table(warehouse.settings.table(flows.DECISIONS)),
        sql=sql,
    )


def count_mature_frauds(warehouse: Warehouse, contract: Contract, as_of: dt.datetime) -> int:
    """How many of the stream's payments are known to be frauds and mature, up to what is needed.

    Args:
        warehouse: Of its tables of decisions and labels a few columns are read.
        contract: What a transaction looks like, and when it is mature.
        as_of: The moment.

    Raises:
        WarehouseError: the tables cannot be queried.
    """
    return len(newest_mature_frauds(warehouse, contract, as_of, LEAST_FRAUDS))


def newest_mature_frauds(
    warehouse: Warehouse, contract: Contract, as_of: dt.datetime, most: int
) -> list[dt.datetime]:
    """When the newest frauds that are mature at a moment were decided, newest first."""
    frauds = _newest_frauds(warehouse, contract, as_of, most, is_mature=True)
    decided: list[dt.datetime] = frauds.column("decided_at").to_pylist()
    return decided


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


def _first(contract: Contract, read: pa.Table) -> float | dt.datetime:
    """The event time of the oldest payment that judges."""
    judging = read.filter(pc.and_not(read.column("is_judged"), read.column("is_hidden")))
    assert contract.event_time is not None  # it was required
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


def newest_mature(
    warehouse: Warehouse, contract: Contract, as_of: dt.datetime, since: dt.datetime
) -> dt.datetime:
    """When the oldest of the newest `MOST_JUDGED` mature payments was decided."""
    found = query(
        warehouse,
        "SELECT decided_at FROM "  # noqa: S608 - likewise
        f"({_labelled(warehouse, contract, as_of, since)}) "
        f"WHERE is_mature ORDER BY decided_at DESC LIMIT 1 OFFSET {MOST_JUDGED}",
    )
    return found.column("decided_at")[0].as_py() if found.num_rows else since


@dataclass(frozen=True)
class _Counts:
    """How many payments are known to be legitimate, were never labelled, or explored."""

    legitimate: int
    hidden: int
    explored: int


@dataclass(frozen=True)
class _Shares:
    """Which share of them is drawn; 1 or more is all."""

    legitimate: float
    hidden: float
    explored: float


def _count(
    warehouse: Warehouse, contract: Contract, as_of: dt.datetime, since: dt.datetime
) -> _Counts:
    labelled = _labelled(warehouse, contract, as_of, since, ("propensity",))
    row = query(
        warehouse,
        f"SELECT COUNTIF(NOT is_fraud AND NOT {HIDDEN}) AS legitimate, "  # noqa: S608 - likewise
        f"COUNTIF({HIDDEN} AND is_mature) AS hidden, COUNTIF({_EXPLORED}) AS explored "
        f"FROM ({labelled})",
    ).to_pylist()[0]
    return _Counts(**row)


def _rows_sql(
    warehouse: Warehouse,
    contract: Contract,
    as_of: dt.datetime,
    since: dt.datetime,
    judged_since: dt.datetime,
    shares: _Shares,
) -> str:
    names = tuple(column.name for column in contract.transaction_columns)
    labelled = _labelled(warehouse, contract, as_of, since, (*names, "propensity"))
    judged = f"(is_mature AND decided_at >= {sql_literal(judged_since)})"
    drawn = f"(is_fraud OR {drawn_sql(_PLACE, shares.legitimate)})"
    explored = f"({_EXPLORED} AND {drawn_sql(_PLACE, shares.explored)})"
    hidden = drawn_sql(_PLACE, shares.hidden)
    wanted = ", ".join(f"`{name}`" for name in (*names, *POSITION))
    return (
        f"SELECT {wanted}, decided_at, is_fraud, label IS NOT NULL AS is_told, label_known_at, "  # noqa: S608 - likewise
        f"label_arrived_at, {judged} AS is_judged, "
        f"CASE WHEN {HIDDEN} THEN {hidden} ELSE {drawn} END AS is_learned, "
        f"{explored} AS is_explored, {HIDDEN} AS is_hidden FROM ({labelled}) "
        f"WHERE (NOT {HIDDEN} AND is_fraud IS NOT NULL AND ({drawn} OR {judged} OR {explored}) "
        f"OR {HIDDEN} AND is_mature AND ({hidden} OR {judged}))"
    )
