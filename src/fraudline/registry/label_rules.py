"""By which rule a contract's labels count, as the list of changes has it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

from fraudline.home import make_private
from fraudline.registry.changes import LABEL_RULE_CHANGED, Change, Changes, Signature
from fraudline.registry.store import Store


class LabelRules:
    """Who judges writes down by which rule, so that another one is told.

    Args:
        store: Where the registry's files lie.
        changes: The lists of changes.
        read: Gives every change of a contract.
    """

    def __init__(self, store: Store, changes: Changes, read: Callable[[str], list[Change]]) -> None:
        self._store, self._changes, self._read = store, changes, read

    def record(
        self, contract: str, rule: Mapping[str, object], signature: Signature | None = None
    ) -> None:
        """Write down by which rule labels count, if it is another than was written.

        Args:
            contract: Of which contract.
            rule: What it is made of, by name.
            signature: Who found it, and why it is so; the account that runs this, without one.
        """
        make_private(self._store.directory)
        with self._store.changing():
            fields = self.new_in(contract, rule)
            if fields:
                signed = signature or Signature.of_this_process()
                at = dt.datetime.now(dt.UTC)
                change = Change(at, LABEL_RULE_CHANGED, contract, None, signed, fields)
                self._changes.append(contract, change)

    def new_in(self, contract: str, rule: Mapping[str, object]) -> dict[str, tuple[object, object]]:
        """What is not as it was written down, by name: before and after; None if it never was."""
        before: dict[str, object] = {}
        for each in self._read(contract):
            if each.change == LABEL_RULE_CHANGED:
                before |= {name: after for name, (_, after) in each.fields.items()}
        return {
            name: (before.get(name), value)
            for name, value in rule.items()
            if before.get(name) != value
        }
