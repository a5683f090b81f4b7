"""CSV files."""

import re
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from bqlite.errors import InvalidError
from bqlite.json_cells import CellError, cell
from bqlite.loads.load import Batches, Load, detected
from bqlite.types import SCALARS, Field

CSV_BLOCK_BYTES = 8 << 20
_WIDE = r"^[+-]?\d{19,}$"


def read_csv(load: Load, fields: tuple[Field, ...]) -> tuple[tuple[Field, ...], Batches]:
    """The columns of a CSV file, given or detected, and its rows in batches."""
    skipped = int(load.options.get("skipLeadingRows") or 0)
    if not fields:
        fields, skipped = _detect_csv(load, skipped)
    for one in fields:
        if one.mode == "REPEATED" or one.type == "RECORD":
            raise InvalidError(f"column '{one.name}': a CSV file cannot hold {one.sql}")
    return fields, _csv_batches(load, fields, skipped)


def _csv_options(load: Load) -> tuple[pa_csv.ParseOptions, list[str]]:
    delimiter = str(load.options.get("fieldDelimiter") or ",")
    delimiter = {"\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    mark = load.options.get("quote", '"')
    if len(delimiter) != 1 or len(mark) > 1:
        raise InvalidError("load: the field delimiter and the quote are one character each")
    parse = pa_csv.ParseOptions(
        delimiter=delimiter,
        quote_char=mark or False,
        newlines_in_values=bool(load.options.get("allowQuotedNewlines")),
        ignore_empty_lines=False,
    )
    return parse, [str(load.options.get("nullMarker") or "")]


def _csv_batches(load: Load, fields: tuple[Field, ...], skipped: int) -> Batches:
    parse, nulls = _csv_options(load)
    types = {one.name: pa.bool_() if one.type == "BOOLEAN" else pa.string() for one in fields}
    convert = pa_csv.ConvertOptions(
        column_types=types,
        null_values=nulls,
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        true_values=["true", "True", "TRUE", "t", "T", "1", "yes", "y"],
        false_values=["false", "False", "FALSE", "f", "F", "0", "no", "n"],
    )
    # Threads would lose the row number that an error must name.
    read = pa_csv.ReadOptions(
        column_names=[one.name for one in fields],
        skip_rows=skipped,
        use_threads=False,
        block_size=CSV_BLOCK_BYTES,
    )
    line = skipped + 1
    try:
        with load.open() as file, pa_csv.open_csv(file, read, parse, convert) as reader:
            for batch in reader:
                columns = [
                    _numbers(column, one, line) if one.type in {"INTEGER", "FLOAT"} else column
                    for column, one in zip(batch.columns, fields, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names), line
                line += batch.num_rows
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        if "Empty CSV" in str(error):
            return
        raise InvalidError(f"CSV file, {_csv_place(str(error), fields, skipped)}") from error


def _numbers(texts: pa.Array, one: Field, line: int) -> pa.Array:
    """The numbers that the texts are; by Arrow, unless it would take what no other way in takes."""
    import pyarrow.compute as pc  # noqa: PLC0415  # a start need not load it

    wanted = SCALARS[one.type].arrow
    try:
        numbers = texts.cast(wanted)
    except pa.ArrowInvalid:
        pass  # it names no row, and takes no plus before an INT64
    else:
        is_integer = one.type == "INTEGER"
        odd = pc.match_substring_regex(texts, "[xX]") if is_integer else pc.is_inf(numbers)
        if not pc.any(odd).as_py():
            return numbers
    found = [
        None if text is None else _number(text, one, line + row)
        for row, text in enumerate(texts.to_pylist())
    ]
    return pa.array(found, wanted)


def _number(text: str, one: Field, line: int) -> Any:
    try:
        return cell(Field(one.name, one.type), text.strip() if text.isascii() else "", one.name)
    except CellError as error:
        raise InvalidError(
            f"line {line}, column '{one.name}': expected {one.sql}, found {text!r:.100}",
            location=one.name,
        ) from error


def _csv_place(message: str, fields: tuple[Field, ...], skipped: int) -> str:
    """Arrow's `In CSV column #1: Row #3: ...` in the user's own words."""
    for number in re.findall(r"column #(\d+)", message):
        if int(number) < len(fields):
            message = message.replace(
                f"In CSV column #{number}", f"column '{fields[int(number)].name}'"
            )
    return message if not skipped else f"{message} (rows counted with {skipped} skipped)"


def _detect_csv(load: Load, skipped: int) -> tuple[tuple[Field, ...], int]:
    parse, nulls = _csv_options(load)
    convert = pa_csv.ConvertOptions(null_values=nulls, strings_can_be_null=True)
    with load.open() as file:
        sample = file.read(CSV_BLOCK_BYTES)
    sample = sample[: sample.rfind(b"\n") + 1] or sample
    try:
        with_header = pa_csv.read_csv(
            pa.BufferReader(sample), pa_csv.ReadOptions(skip_rows=max(skipped - 1, 0)),
            parse, convert,
        )  # fmt: skip
    except pa.ArrowInvalid as error:
        raise InvalidError(f"load: the schema cannot be detected: {error}") from error
    fields = tuple(detected(one.name, one.type) for one in with_header.schema)
    floats = [one.name for one in fields if one.type == "FLOAT"]
    _refuse_wide_integers(sample, floats, skipped, parse)
    return fields, max(skipped, 1)


def _refuse_wide_integers(
    sample: bytes, floats: list[str], skipped: int, parse: pa_csv.ParseOptions
) -> None:
    """Arrow takes a whole number that INT64 cannot hold for a FLOAT, and rounds it."""
    import pyarrow.compute as pc  # noqa: PLC0415  # only where there is such a column

    if not floats:
        return
    texts = pa_csv.read_csv(
        pa.BufferReader(sample), pa_csv.ReadOptions(skip_rows=max(skipped - 1, 0)), parse,
        pa_csv.ConvertOptions(
            include_columns=floats, column_types=dict.fromkeys(floats, pa.string())
        ),
    )  # fmt: skip
    for name in floats:
        column = texts[name]
        for text in column.filter(pc.match_substring_regex(column, _WIDE)).to_pylist():
            if not -(2**63) <= Decimal(text) < 2**63:
                raise InvalidError(
                    f"load: column '{name}': {text} does not fit INT64, so the schema cannot be "
                    "detected; give one, with NUMERIC or FLOAT64",
                    location=name,
                )
