"""All that is wrong with a contract file, each with its line, so that it is mended in one go."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fraudline.errors import ContractError

Keys = tuple[str, ...]
_MOST_SHOWN = 200
_TABLES = {"roles", "entities", "history", "messages", "labels", "columns", "derived"}


@dataclass(frozen=True)
class ContractFault:
    """Something in a contract file that has to be mended.

    Attributes:
        place: Its table or column, as a person would say it; empty: the file itself.
        text: What is wrong, and what to write instead, a sentence.
        line: Where it stands, from 1; of what is missing, where its table begins. None: nowhere.
    """

    place: str
    text: str
    line: int | None = None

    @property
    def where(self) -> str:
        """Line and place, as the begin of a sentence; empty if neither is known."""
        line = "" if self.line is None else f"line {self.line:,}"
        return ", ".join(filter(None, (line, self.place)))

    def __str__(self) -> str:
        """The fault in one line."""
        return f"{self.where}: {self.text}" if self.where else self.text


class Faults:
    """Gathers what is wrong with a file while it is read."""

    def __init__(self) -> None:
        self._found: list[tuple[Keys, str]] = []

    def __len__(self) -> int:
        """How many there are."""
        return len(self._found)

    def add(self, path: Keys, text: str) -> None:
        """Note a fault.

        Args:
            path: The keys that lead to it, such as ("columns", "amount", "min").
            text: What is wrong and what to write instead, a sentence.
        """
        self._found.append((path, text))

    def value(
        self,
        table: Mapping[str, Any],
        key: str,
        kind: type | tuple[type, ...],
        default: Any,
        path: Keys,
    ) -> Any:
        """What a table has under a key, or the default; one of another type is a fault.

        Args:
            table: Where to look.
            key: Which value.
            kind: The types that it may have; a bool is no number.
            default: What it is if it is not given, or at fault.
            path: The keys that lead to the table.
        """
        value = table.get(key, default)
        if key in table and (
            not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
        ):
            kinds = kind if isinstance(kind, tuple) else (kind,)
            names = " or ".join(each.__name__ for each in kinds)
            self.add((*path, key), f"{key} = {shown(value)}, expected {names}.")
            return default
        return value

    def known_keys(self, table: Mapping[str, Any], known: Collection[str], path: Keys) -> None:
        """Note each key of a table that is not known.

        Args:
            table: Where to look.
            known: Those that there are.
            path: The keys that lead to the table.
        """
        for key in sorted(set(table) - set(known)):
            self.add(
                (*path, key),
                f"unknown key {key}; known are {', '.join(sorted(known))}.{meant(key, known)}",
            )

    def listed(self, text: str) -> list[ContractFault]:
        """Every fault once, in the order of the file.

        Args:
            text: The file, which is TOML.
        """
        if not self._found:
            return []
        lines = _lines(text)
        faults = {
            ContractFault(_place(path), told, _line_of(path, lines)): None
            for path, told in self._found
        }
        return sorted(faults, key=lambda fault: fault.line or 0)


def refusal(where: str, faults: list[ContractFault]) -> ContractError:
    """The error of a file that has faults, which tells all of them.

    Args:
        where: Which file, in words.
        faults: At least one.
    """
    if len(faults) == 1:
        fault = faults[0]
        place = ", ".join(filter(None, (where, fault.where)))
        return ContractError(f"{place}: {fault.text}")
    listed = "\n".join(f"  {fault}" for fault in faults)
    return ContractError(f"{where} has {len(faults)} faults:\n{listed}")


def shown(value: object) -> str:
    """A value of a file as it is told; one without an end is cut."""
    try:
        words = repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number of thousands of digits"
    return words if len(words) <= _MOST_SHOWN else f"{words[:_MOST_SHOWN]}…"


def meant(word: object, known: Iterable[str]) -> str:
    """What a misspelt word may have been meant to be, as the end of a sentence; else empty."""
    by_case = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(str(word).casefold(), by_case, n=1, cutoff=0.6)
    return f" Did you mean {by_case[close[0]]!r}?" if close else ""


def _place(path: Keys) -> str:
    if path[:1] == ("columns",) and len(path) > 1:
        return f"column '{path[1]}'"
    if path[:1] == ("derived",) and len(path) > 1:
        return f"derived column '{path[1]}'"
    return f"[{path[0]}]" if path and path[0] in _TABLES and len(path) > 1 else ""


def _line_of(path: Keys, lines: dict[Keys, int]) -> int | None:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


def _lines(text: str) -> dict[Keys, int]:
    """The line of each key, by the keys that lead to it.

    Lines are taken together until they are a statement on their own: then TOML's own parser
    says which keys it sets, whatever it is written like.
    """
    found: dict[Keys, int] = {}
    table: Keys = ()
    statement, begins_at = "", 1
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if not statement:
            begins_at = number
        statement += line
        try:
            parsed = tomllib.loads(statement)
        except ValueError:
            continue
        is_header = statement.lstrip().startswith("[")
        paths = list(_paths(parsed))
        if is_header:
            table = max(paths, key=len, default=())
        for path in paths:
            found.setdefault(path if is_header else (*table, *path), begins_at)
        statement = ""
    return found


def _paths(value: Any) -> Iterable[Keys]:
    if isinstance(value, list) and len(value) == 1:  # a header of a list of tables
        value = value[0]
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (key,)
            yield from ((key, *rest) for rest in _paths(inner))
