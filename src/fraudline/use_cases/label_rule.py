"""By which rule labels count, and who is told when it is another one than before."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from fraudline.contract import SOURCES
from fraudline.errors import InputError
from fraudline.registry import Signature
from fraudline.use_cases.project import Project

_LOG = logging.getLogger(__name__)


def note_label_rule(project: Project) -> str | None:
    """Keep the rule by which labels count among the registry's changes, if it is a new one.

    The contract's file has the maturity, a release the rank of the sources; nobody is asked when
    either changes. So who judges next writes down what it found, and from what on it is so.

    Args:
        project: Whose contract and registry.

    Returns:
        What a person should know, if it is another rule than before.

    Raises:
        RegistryError: its object store cannot be reached.
    """
    rule = _rule(project)
    signature = Signature.of_this_process(
        reason="found so; the contract's file or a release has it"
    )
    changed = project.registry.label_rules.new_in(project.contract.name, rule)
    try:
        if changed:  # else no right is needed but to read
            project.registry.label_rules.record(project.contract.name, rule, signature)
    except (OSError, InputError) as error:  # to be read only, or another machine was first
        _LOG.warning(
            "by which rule labels count is not among the changes of the registry, which could not "
            "be written: %s",
            getattr(error, "strerror", None) or error,
        )
    return _told(changed)


def other_label_rule(project: Project) -> str | None:
    """What a person should know where labels count by another rule here than for who judged before.

    Nothing is written: who asks may have another contract's file than who learns.

    Args:
        project: Whose contract and registry.

    Raises:
        RegistryError: its object store cannot be reached.
    """
    return _told(project.registry.label_rules.new_in(project.contract.name, _rule(project)))


def _rule(project: Project) -> dict[str, object]:
    return {"maturity_days": project.contract.maturity_days, "sources": " > ".join(SOURCES)}


def _told(changed: Mapping[str, tuple[object, object]]) -> str | None:
    told = [f"{name} {was} -> {now}" for name, (was, now) in changed.items() if was is not None]
    if not told:
        return None
    return (
        f"labels count by another rule than before: {', '.join(told)}. What was judged stays as it "
        "was judged, and its figures do not compare with those from now on; if nobody meant that, "
        "look at the contract's file. `fraudline models changes` lists such changes."
    )
