"""Names as the Storage API writes them: `projects/P/datasets/D/tables/T/streams/S`."""

from dataclasses import dataclass

from bqlite.errors import InvalidError
from bqlite.relations import TableName


@dataclass(frozen=True)
class Target:
    """What a stream's name means."""

    name: str
    table: TableName
    is_default: bool


def target_of(name: str) -> Target:
    """`.../tables/T/streams/S`, `.../tables/T/streams/_default` or `.../tables/T/_default`."""
    table, _, stream = name.rpartition("/")
    table = table.removesuffix("/streams")
    return Target(name, table_name(table), stream == "_default")


def table_name(text: str) -> TableName:
    """`projects/P/datasets/D/tables/T` as a name."""
    parts = text.split("/")
    if len(parts) != 6 or parts[0::2] != ["projects", "datasets", "tables"]:
        raise InvalidError(f"expected projects/P/datasets/D/tables/T, found '{text}'")
    return TableName(parts[1], parts[3], parts[5])
