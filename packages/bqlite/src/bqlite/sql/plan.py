"""The way in: from a statement as it came to what bqlite will run."""

from bqlite.errors import UnsupportedSqlError
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
