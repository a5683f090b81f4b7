"""Which label of a transaction counts, and decisions with the one that counted at any moment.

The rule, in SQL, once (`docs/decisions/0019-which-label-counts.md` argues it). At a moment,

1. a label exists if it had arrived by then, and its source knew it by then;
2. of each source, the label with the newest `known_at` stands, of equal ones the one that is later
   in the topic;
3. a source whose standing label is `withdrawn` says nothing;
4. of those that say something, the one with the highest rank counts.

Everything that learns or judges by labels reads `decisions_with_labels`, so that none of it can use
a label before it arrived.

What has no label that counts is legitimate once it is mature; but not a payment that would have
been blocked and was reviewed in place of it (`propensity`): people looked at it and said nothing,
so nobody knows, however old it is (`docs/decisions/0049-explored-and-not-told.md`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Sequence

import pyarrow as pa

from fraudline import flows
from fraudline.contract import BLOCK, SOURCES, WITHDRAWN, Contract
from fraudline.contract.columns import EARLIEST, LATEST
from fraudline.errors import ContractError, InputError
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.explored import PROPENSITY, explored_columns
from fraudline.warehouse.query import query, query_pieces, sql_literal

_NEWEST_FIRST = (
    "known_at DESC, source_offset DESC, source_partition DESC, arrived_at DESC, "
    "source_topic_id DESC"
)
_RANKS = " ".join(f"WHEN '{source}' THEN {rank}" for rank, source in enumerate(SOURCES))
_OF_DECISION = (
    *("transaction_id", "source_topic", "source_partition", "source_offset", "received_at"),
    *("decided_at", "score", "decision", "threshold", "model_version"),
)
_OF_LABEL = ("label", "label_source", "label_known_at", "label_arrived_at", "is_mature", "is_fraud")
_ADDED = (*_OF_LABEL, "label_later", "is_fraud_later")
_DAY_US = 86_400_000_000
HIDDEN = f"(label IS NULL AND (decision = '{BLOCK}' OR {PROPENSITY} IS NOT NULL))"
"""A condition on a decision and its label: nobody can know what the payment was, or said so."""


def decisions_with_labels(
    warehouse: Warehouse,
    contract: Contract,
    *,
    as_of: dt.datetime,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    later: dt.datetime | None = None,
    columns: Sequence[str] = (),
) -> pa.Table:
    """Each decision with the label that counted at a moment.

    A transaction that was sent twice is in it once, by its first decision.

    Args:
        warehouse: Its tables of decisions and labels are read.
        contract: What a transaction looks like, and when it is mature.
        as_of: The moment. Neither a decision nor a label that came later is seen.
        since: Only what was decided at this time or later, and
        until: before this time, which is all that is read of decisions.
        later: A later moment, at which the same decisions are looked at again: what was corrected
            until then differs.
        columns: Columns of the transaction that are wanted, too.

    Returns:
        What tells the decision and what it was (`transaction_id`, `source_topic`,
        `source_partition`, `source_offset`, `received_at`, `decided_at`, `score`, `decision`,
        `threshold`, `model_version`), the columns asked for, and then: `label`, which is `fraud`,
        `legitimate` or null, with `label_source`, `label_known_at` and `label_arrived_at`;
        `is_mature`, whether the contract's maturity had passed; `is_fraud`, which is what the label
        says, without one false where it is mature and was not reviewed in place of being blocked,
        and else null. With `later` also `label_later`
        and `is_fraud_later`, the same at that moment. In the order of the decisions.

    Raises:
        ContractError: a column is asked for that is called like one of these.
        InputError: `later` is before `as_of`.
        WarehouseError: the tables cannot be queried.
    """
    sql = labelled_sql(warehouse, contract, columns)
    parameters = _moments(as_of, since, until)
    if later is not None:
        if later < as_of:
            raise InputError(
                f"later, {later.isoformat()}, is before as_of, {as_of.isoformat()}: decisions "
                "between the two would be missing. Give them the other way round."
            )
        again = labelled_sql(warehouse, contract, (), moment="@later")
        sql = (
            "SELECT at_.*, later_.label AS label_later, later_.is_fraud AS is_fraud_later\n"
            f"FROM (\n{sql}\n) AS at_\nJOIN (\n{again}\n) AS later_\n"
            "ON at_.source_topic = later_.source_topic "
            "AND at_.source_partition = later_.source_partition "
            "AND at_.source_offset = later_.source_offset "
            "AND at_.decided_at = later_.decided_at"
        )
        parameters.append(("later", "TIMESTAMP", later))
    order = "decided_at, source_topic, source_partition, source_offset"
    return query(warehouse, f"SELECT * FROM (\n{sql}\n) ORDER BY {order}", parameters)  # noqa: S608 - likewise


def labelled_pieces(
    warehouse: Warehouse,
    contract: Contract,
    *,
    as_of: dt.datetime,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    columns: Sequence[str] = (),
    wanted: Sequence[str] = (),
) -> Callable[[], Iterator[pa.RecordBatch]]:
    """The same as `decisions_with_labels`, piece by piece and in no order, for a little memory.

    Args:
        warehouse: As for `decisions_with_labels`, like the others.
        contract: Likewise.
        as_of: Likewise.
        since: Likewise.
        until: Likewise.
        columns: Likewise.
        wanted: Names of the columns of its result that are wanted; all without any. Of a table
            only what they need is read, and paid for.

    Returns:
        What reads all rows, as often as it is called.
    """
    names = ", ".join(f"`{name}`" for name in wanted) or "*"
    sql = f"SELECT {names} FROM (\n{labelled_sql(warehouse, contract, columns)}\n)"  # noqa: S608 - likewise
    return query_pieces(warehouse, sql, _moments(as_of, since, until))


def _moments(
    as_of: dt.datetime, since: dt.datetime | None, until: dt.datetime | None
) -> list[tuple[str, str, object]]:
    return [
        ("as_of", "TIMESTAMP", as_of),
        ("since", "TIMESTAMP", since or EARLIEST),
        ("until", "TIMESTAMP", until or LATEST),
    ]


def labelled_sql(
    warehouse: Warehouse,
    contract: Contract,
    columns: Collection[str] = (),
    *,
    moment: str = "@as_of",
    since: str = "@since",
    until: str = "@until",
    of: str = "",
    where: str = "",
) -> str:
    """The statement that gives decisions with their labels; see `decisions_with_labels`.

    Args:
        warehouse: The data set.
        contract: What a transaction looks like, and when it is mature.
        columns: Columns of the transaction that are wanted, too.
        moment: An expression of the moment.
        since: An expression of the time before which decisions are left alone.
        until: An expression of the time from which on they are.
        of: An expression of a transaction's id: those of others are left alone, too.
        where: A condition more on a decision `d`, by which BigQuery reads fewer.

    Raises:
        ContractError: a column is asked for that is called like one of the result.
    """
    taken = sorted({name for name in columns if name.lower() in {*_ADDED, *_OF_DECISION}})
    if taken:
        raise ContractError(
            f"column '{taken[0]}' of contract '{contract.name}' is called like a column of its "
            "label beside a decision, so it cannot be read with labels. Rename it."
        )
    mature = (
        f"d.decided_at <= TIMESTAMP_SUB({moment}, INTERVAL "
        f"{round(contract.maturity_days * _DAY_US)} MICROSECOND)"
    )
    table = warehouse.table(warehouse.settings.table(flows.DECISIONS))
    is_telling = bool(explored_columns(warehouse))
    unknown = f" WHEN d.{PROPENSITY} IS NOT NULL THEN NULL" if is_telling else ""
    decided = ", ".join(
        f"d.`{name}`" if name != PROPENSITY or is_telling else f"CAST(NULL AS FLOAT64) AS {name}"
        for name in (*_OF_DECISION, *columns)
    )
    also = "".join(
        f" AND {condition}" for condition in (of and f"d.transaction_id = {of}", where) if condition
    )
    return f"""\
WITH {counting_sql(warehouse, contract, moment, of)}
SELECT {decided},
  c.label AS label, c.source AS label_source,
  c.known_at AS label_known_at, c.arrived_at AS label_arrived_at,
  {mature} AS is_mature,
  CASE WHEN c.label IS NOT NULL THEN c.label = 'fraud'{unknown} WHEN {mature} THEN FALSE END
    AS is_fraud
FROM `{table}` AS d
LEFT JOIN counting AS c ON {names_it(contract)}
WHERE d.decided_at <= {moment} AND d.decided_at >= {since} AND d.decided_at < {until}
  AND d.repeat_of IS NULL{also}"""  # noqa: S608 - names come from settings and a checked contract


def counting_sql(
    warehouse: Warehouse, contract: Contract, moment: str = "@as_of", of: str = ""
) -> str:
    """The rule as two common tables: `standing`, a label a source, and `counting`, one in all.

    Args:
        warehouse: The data set.
        contract: Of the transactions.
        moment: An expression of the moment.
        of: An expression of a transaction's id: labels of no other are looked at.
    """
    table = warehouse.table(warehouse.settings.table(flows.LABELS))
    also = f" AND transaction_id = {of}" if of else ""
    identity = identity_of(contract)
    return f"""\
standing AS (
  SELECT transaction_id, transaction_received_at, label, source, known_at, arrived_at,
    source_topic_id, source_partition, source_offset
  FROM `{table}`
  WHERE contract = '{contract.name}' AND arrived_at <= {moment} AND known_at <= {moment}{also}
  QUALIFY ROW_NUMBER() OVER (PARTITION BY {identity}, source ORDER BY {_NEWEST_FIRST}) = 1
), counting AS (
  SELECT * FROM standing WHERE label != '{WITHDRAWN}'
  QUALIFY ROW_NUMBER() OVER (PARTITION BY {identity} ORDER BY CASE source {_RANKS} END) = 1
)"""  # noqa: S608 - names come from settings and a checked contract


def identity_of(contract: Contract) -> str:
    """The columns of a label that name its transaction."""
    if contract.id is not None:
        return "transaction_id"
    return "transaction_id, transaction_received_at"


def names_it(contract: Contract, label: str = "c", decision: str = "d") -> str:
    """The condition that a label names the transaction of a decision.

    Where the contract has no id, that is a position and the time stamp of the message there: a
    position alone would be of another transaction once the topic is made anew.
    """
    same = f"{decision}.transaction_id = {label}.transaction_id"
    if contract.id is not None:
        return same
    sent = (f"{decision}.received_at", f"{label}.transaction_received_at")
    return f"{same} AND {' = '.join(f'IFNULL(UNIX_MICROS({at}), -1)' for at in sent)}"


def labelled_sql_at(warehouse: Warehouse, contract: Contract, as_of: dt.datetime | None) -> str:
    """The same statement to be run anywhere: as of a moment, or of when it is run."""
    moment = "CURRENT_TIMESTAMP()" if as_of is None else sql_literal(as_of)
    columns = [column.name for column in contract.transaction_columns]
    columns = [name for name in columns if name.lower() not in _ADDED]
    bounds = {"since": sql_literal(EARLIEST), "until": sql_literal(LATEST)}
    return labelled_sql(warehouse, contract, columns, moment=moment, **bounds)
