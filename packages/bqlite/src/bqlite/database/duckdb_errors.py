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


# What DuckDB says of its own settings, types and functions, as a user of BigQuery would say it.
_WORDS: tuple[tuple[str, str], ...] = (
    (r"Max expression depth limit.*", "the query nests too deeply for bqlite"),
    (
        r"Overflow in multiplication of DECIMAL.*",
        "numeric overflow: a product of NUMERIC of more than 20 digits before the point is refused "
        "by bqlite",
    ),
    (
        r".*?with value (\S+) can't be cast because the value is out of range for the destination "
        r"type INT64.*",
        r"integer overflow: \1 is out of the range of INT64",
    ),
    # Its operators are functions to it, some under names that GoogleSQL has not.
    (r"types '(!?~~|(not_)?like_escape)\(", "types 'operator LIKE("),
    (r"(types '|function call \")([^\w\s(]+)\(", r"\1operator \2("),
    (
        r"No function matches the given name and argument types '(.*?)\((.*)\)'.*",
        r"No matching signature for \1 for argument types: \2",
    ),
    (
        r"Could not choose a best candidate function for the function call \"(.*?)\((.*)\)\".*",
        r"No matching signature for \1 for argument types: \2",
    ),
    (r"\bSTRING_LITERAL\b", "STRING"),
    (
        r"Cannot extract field '(.*?)' from .*",
        r"Cannot access field \1 on a value that is no STRUCT",
    ),
    (r"[.,;]? ?(You might want to|Consider|Perhaps you|Try|Use \"SET|Did you mean|LINE \d).*", ""),
    (r" ?- an explicit cast is required\.?", ": CAST one of them"),
    (r"(DECIMAL|NUMERIC)\(\d+, ?\d+\)", "NUMERIC"),
    (r"\bVARCHAR\b", "STRING"),
    (r"\b(BIGINT|HUGEINT|INTEGER|INT128|INT32|UBIGINT|INTEGER_LITERAL)\b", "INT64"),
    (r"\bDOUBLE\b", "FLOAT64"),
    (r"\bBLOB\b", "BYTES"),
    (r"\bBOOLEAN\b", "BOOL"),
)
_TIMESTAMP = re.compile(r"TIMESTAMP( WITH TIME ZONE)?")


def _message(error: Exception) -> str:
    text = str(error)
    unknown = re.search(r'Referenced (?:column|table) "([^"]*)" (?:was )?not found', text)
    if unknown:
        return f"Unrecognized name: {unknown[1]}"
    text = re.sub(r"^[A-Z][A-Za-z -]* Error: ", "", text.split("\n", 1)[0].strip())
    for pattern, words in _WORDS:
        text = re.sub(pattern, words, text)
    if not isinstance(error, duckdb.InvalidInputException):  # which speak by bqlite's own macros
        text = _TIMESTAMP.sub(lambda found: "TIMESTAMP" if found[1] else "DATETIME", text)
    return text.strip()
