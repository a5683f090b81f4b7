"""DuckDB's errors in BigQuery's words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from bqlite.errors import InvalidQueryError, NotFoundError, ResourceError, StoppedError


@contextmanager
def sql_errors() -> Iterator[None]:
    """Turns DuckDB's errors into BigQuery's."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise StoppedError("Job execution was cancelled: User requested cancellation") from error
    except duckdb.OutOfMemoryException as error:
        raise ResourceError(
            f"Resources exceeded during query execution: {_message(error)}"
        ) from error
    except duckdb.ConstraintException as error:
        raise InvalidQueryError(_message(error)) from error
    except (duckdb.IOException, duckdb.TransactionException) as error:
        raise ResourceError(f"the disk refused a read or write: {_message(error)}") from error
    except (duckdb.InternalException, duckdb.FatalException):
        raise
    except duckdb.CatalogException as error:
        # The catalogue knew it a moment ago, or the statement would not have come this far.
        dropped = re.search(r"(Table|Schema) with name (.*?) does not exist", str(error))
        if dropped is None:
            raise InvalidQueryError(_message(error)) from error
        kind = {"Table": "Table", "Schema": "Dataset"}[dropped[1]]
        raise NotFoundError(
            f"Not found: {kind} {dropped[2]}, which was dropped a moment ago"
        ) from error
    except duckdb.Error as error:
        raise InvalidQueryError(_message(error)) from error


def _message(error: Exception) -> str:
    text = str(error)
    unknown = re.search(r'Referenced (?:column|table) "([^"]*)" not found', text)
    if unknown:
        return f"Unrecognized name: {unknown[1]}"
    for kind in ("Binder Error: ", "Invalid Input Error: ", "Catalog Error: ", "Parser Error: "):
        text = text.removeprefix(kind)
    return text.split("\n", 1)[0].strip()
