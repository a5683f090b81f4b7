"""Which rows of a history that is too large are read: all frauds, and a draw of the others.

The draw is by a hash of the id, or of what tells most of a row where there is none: it is the same
whenever it is asked for, and a larger one holds a smaller one. Only rows labelled legitimate are
ever left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from fraudline.contract import Contract
from fraudline.errors import InputError
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.query import query

_SEED = "fraudline history"
_ORDER_SEED = "fraudline order"
# Without an id; rows that agree in so many columns are drawn together. To hash a number costs more
# than to read it.
_MOST_HASHED = 8
_MOST_ORDERED = 32
_BETWEEN = ", '|', "


@dataclass(frozen=True)
class HistorySample:
    """A draw from a history, or from a period of it.

    Attributes:
        one_in: Of the legitimate rows one in so many is drawn.
        rows: How many rows there are.
        frauds: How many of them are frauds.
    """

    one_in: int
    rows: int
    frauds: int


def choose_sample(
    warehouse: Warehouse, contract: Contract, source: str, where: str, most_rows: int
) -> HistorySample | None:
    """The draw that leaves about so many rows; None where there are no more.

    Args:
        warehouse: Is asked how many rows there are.
        contract: What they are.
        source: What stands behind FROM.
        where: The condition of a period, with WHERE, or nothing.
        most_rows: How many are wanted at most.

    Raises:
        InputError: half of them would be frauds, or more, of which none is left out.
    """
    counted = query(
        warehouse,
        f"SELECT COUNT(*) AS n, COUNTIF({_is_legitimate(contract)}) AS legitimate "  # noqa: S608 - names come from settings and a checked contract
        f"FROM {source}{where}",
    ).to_pylist()[0]
    rows, legitimate = counted["n"], counted["legitimate"]
    if rows <= most_rows:
        return None
    frauds = rows - legitimate
    if 2 * frauds > most_rows:
        raise InputError(
            f"the history has {rows:,} rows, more than the {most_rows:,} that are read at most "
            f"(training.most_rows), and {frauds:,} of them are frauds, of which none is left out. "
            "Take a shorter period with `--from` and `--to`, or allow more rows."
        )
    return HistorySample(-(-legitimate // (most_rows - frauds)), rows, frauds)


def drawn_condition(contract: Contract, sample: HistorySample) -> str:
    """The condition of the rows that are read: what is not legitimate, and what is drawn."""
    hashed = contract.id_columns or telling_columns(contract)
    drawn = is_drawn_sql(_SEED, _BETWEEN.join(map(_text, hashed)), 1 / sample.one_in)
    return f"(NOT IFNULL({_is_legitimate(contract)}, FALSE) OR {drawn})"


def drawn_order(contract: Contract) -> str:
    """What rows that have no time are sorted by: a hash of what a network sees of them.

    So twins lie beside each other, and hardly any get into two parts. No label is in it.
    """
    hashed = map(_text, contract.features[:_MOST_ORDERED])
    return f"MD5(CONCAT('{_ORDER_SEED}', {_BETWEEN.join(hashed)}))"


def telling_columns(contract: Contract) -> list[str]:
    """The columns that tell most of a row where it has no id, the most telling first."""
    roles = filter(None, (contract.event_time, contract.amount))
    others = (column.name for column in contract.transaction_columns)
    return list(dict.fromkeys((*roles, *others)))[:_MOST_HASHED]


def is_drawn_sql(seed: str, hashed: str, share: float) -> str:
    """The condition that a row is among a share of them; among a larger share it is, too.

    Args:
        seed: Of this draw.
        hashed: What is hashed, texts in SQL with commas between; none of them null.
        share: 0 to 1.
    """
    if share >= 1:
        return "TRUE"
    below = f"{int(share * 2**32):08x}"
    return f"(SUBSTR(TO_HEX(MD5(CONCAT('{seed}', {hashed}))), 1, 8) < '{below}')"


def _text(column: str) -> str:
    return f"IFNULL(CAST(`{column}` AS STRING), '')"


def _is_legitimate(contract: Contract) -> str:
    label = contract.column(contract.label)
    return f"NOT `{label.name}`" if label.type == "bool" else f"`{label.name}` = 0"
