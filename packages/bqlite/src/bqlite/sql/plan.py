"""The way in: from a statement as it came to what bqlite will run."""

from bqlite.errors import InvalidQueryError, UnsupportedSqlError
from bqlite.sql.statement import Names, Plan, Request


def plan(request: Request, names: Names) -> Plan:
    """Parses, resolves, checks and translates one statement.

    Raises:
        InvalidQueryError: The statement is wrong.
        UnsupportedSqlError: It uses what bqlite does not have; the message names it.
        NotFoundError: It names a table that does not exist.
    """
    from bqlite.sql.translate import translate  # noqa: PLC0415  # a third of a start's time

    try:
        return translate(request, names)
    except RecursionError as error:
        raise UnsupportedSqlError("the query nests too deeply for bqlite") from error


def condition(text: str) -> str:
    """A client's filter as one expression of BigQuery's SQL, whatever stands in it.

    Raises:
        InvalidQueryError: It is anything else, as `true LIMIT 1` or a subquery.
    """
    from sqlglot import exp  # noqa: PLC0415  # a third of a start's time

    from bqlite.sql.names import parse  # noqa: PLC0415

    root = parse(f"SELECT {text}\n")
    given = {key for key, value in root.args.items() if value}
    is_one = isinstance(root, exp.Select) and given == {"expressions"} and len(root.selects) == 1
    only = root.selects[0] if is_one and isinstance(root, exp.Select) else None
    if only is None or isinstance(only, exp.Alias) or only.is_star:
        raise InvalidQueryError(f"row_restriction: '{text:.100}' is not one condition")
    refused = only.find(exp.Query, exp.AggFunc, exp.Window)
    if refused is not None:
        raise InvalidQueryError(
            f"row_restriction: '{refused.sql(dialect='bigquery'):.100}' is not a condition on a row"
        )
    return str(only.sql(dialect="bigquery"))
